import { expect, test } from 'vitest';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';
import { createPair, noCertificates, PairFolder } from '../helpers/certificates.js';

const pages = ['/docs', '/docs/static/swagger-ui-bundle.js', '/errors'];

test.each(pages)('%s has headers that keep other pages from framing or reaching it', async (path) => {
  await using server = await buildEmptyApp();
  const { status, headers } = await server.get(path);
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
  });
  expect(headers).not.toHaveProperty('strict-transport-security');
});

test.skipIf(noCertificates)('a page over TLS has strict-transport-security', async () => {
  using files = new PairFolder(createPair('pages'));
  await using server = await buildEmptyApp(files.environment);
  for (const path of pages) {
    const { headers } = await server.get(path);
    expect(headers['strict-transport-security'], path).toBe('max-age=15552000');
  }
});

test('a JSON answer has nosniff and no other header of a page', async () => {
  await using server = await buildTestApp();
  const answers = [
    await server.post('/predict', {}),
    await server.get('/models'),
    await server.get('/nope'),
    await server.get('/%zz'),
  ];
  for (const { headers } of answers) {
    expect(headers['x-content-type-options']).toBe('nosniff');
    for (const name of ['content-security-policy', 'x-frame-options', 'referrer-policy']) {
      expect(headers).not.toHaveProperty(name);
    }
  }
});
