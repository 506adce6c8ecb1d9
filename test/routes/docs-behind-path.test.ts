import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { sendRaw } from '../faults/instruments/raw-http.js';
import { buildEmptyApp } from '../helpers/app.js';

/** The paths of the files that a page loads, as a browser resolves them. */
const filesOf = (page: string, html: string) =>
  [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => new URL(link as string, page).pathname);

test.each(['https://example.com/ml', 'https://example.com/ml/'])(
  'the manual finds its files behind a proxy with a path for PUBLIC_URL=%s',
  async (publicUrl) => {
    await using server = await buildEmptyApp({ PUBLIC_URL: publicUrl });
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

test('the manual answers a request target in absolute form, and with percent-encoding', async () => {
  await using server = await buildEmptyApp();
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  for (const path of [
    '/docs',
    '/docs/',
    '/docs/static/swagger-ui.css',
    '/docs/static/swagger%2dui.css',
    '/docs?x=1',
  ]) {
    const bytes = `GET http://a${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    expect((await sendRaw(port, bytes)).status, path).toBe(200);
  }
});
