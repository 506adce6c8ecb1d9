import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ModelDocuments } from '../../../src/routes/manual/model-documents.js';
import { buildTestApp, type TestApp } from '../../helpers/app.js';

let server: TestApp;
let documents: ModelDocuments;
beforeAll(async () => {
  server = await buildTestApp();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  vi.restoreAllMocks();
  documents = new ModelDocuments(server.app);
});

test('clients that ask at the same time get one document, which is made once', async () => {
  const swagger = vi.spyOn(server.app, 'swagger');
  const [first, second] = await Promise.all([documents.get('json', false), documents.get('json', false)]);
  expect(second).toBe(first);
  expect(await documents.get('json', false)).toBe(first);
  expect(swagger).toHaveBeenCalledTimes(1);
});

test('documents that are asked for at the same time are made one after the other', async () => {
  const swagger = vi.spyOn(server.app, 'swagger');
  const all = (['json', 'yaml'] as const).flatMap((form) =>
    [false, true].map((hasVersions) => documents.get(form, hasVersions)),
  );
  await all[0];
  expect(swagger.mock.calls.length).toBeLessThan(all.length);
  const tags = (await Promise.all(all)).map(({ etag }) => etag);
  expect(new Set(tags).size).toBe(4);
});

test('a document is made again after a change of the models, and not for each of many changes', async () => {
  const first = await documents.get('json', false);
  const revision = vi.spyOn(server.app.registry, 'revision', 'get');
  const swagger = vi.spyOn(server.app, 'swagger');
  const later = Array.from({ length: 20 }, (_, k) => {
    revision.mockReturnValue(1_000 + k);
    return documents.get('json', false);
  });
  expect((await Promise.all(later)).every((it) => it !== first)).toBe(true);
  expect(swagger.mock.calls.length).toBeLessThan(3);
});

test('a document whose making failed is made by the next request', async () => {
  vi.spyOn(server.app, 'swagger').mockImplementationOnce(() => {
    throw new Error('once');
  });
  await expect(documents.get('json', false)).rejects.toThrow('once');
  expect((await documents.get('json', false)).contentType).toBe('application/json; charset=utf-8');
});
