import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';

/** The addresses of the files that a page of this text loads, as a browser resolves them. */
const filesOf = (page: string, html: string) =>
  [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => new URL(link as string, page).pathname);

test.each(['https://example.com/ml', 'https://example.com/ml/'])(
  'the manual finds its files behind a path, with a slash at its end and without, for PUBLIC_URL=%s',
  async (publicUrl) => {
    await using server = await buildTestApp({ PUBLIC_URL: publicUrl });
    for (const path of ['/docs', '/docs/']) {
      const { text } = await server.get(path);
      const files = filesOf(`https://example.com/ml${path}`, text);
      expect(files.length).toBeGreaterThan(5);
      for (const file of files) {
        expect(file).toMatch(/^\/ml\/docs\/static\//);
        expect((await server.get(file.slice('/ml'.length))).status, file).toBe(200);
      }
    }
    const { body } = await server.get('/openapi.json');
    expect(body.servers).toEqual([{ url: 'https://example.com/ml' }]);
  },
);
