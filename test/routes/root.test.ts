import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

test('GET / without a console redirects a browser to the manual, and gives other clients links to the documents', async () => {
  using folder = createRegistryFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path, CONSOLE: 'off' });
  const page = await server.get('/', { accept: browser });
  expect([page.status, page.headers['location'], page.headers['vary']]).toEqual([302, 'docs', 'accept']);
  const program = await server.get('/', { accept: '*/*' });
  expect(program.body).toEqual({ status: 'alive', openapi: 'openapi.json', docs: 'docs' });
  expect(program.headers['link']).toBe('<openapi.json>; rel="service-desc", <docs>; rel="service-doc"');
  expect((await server.get('/docs', { accept: browser })).status).toBe(200);
  expect((await server.get('/openapi.json')).status).toBe(200);
});

test('GET / without a manual and a console answers a browser with the status alive', async () => {
  using folder = createRegistryFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path, DOCS: 'off', CONSOLE: 'off' });
  const { status, body, headers } = await server.get('/', { accept: browser });
  expect([status, body, headers['link']]).toEqual([200, { status: 'alive' }, undefined]);
});
