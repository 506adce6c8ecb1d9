import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const folder = createRegistryFolder();
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number' as const }] },
  model: linearRegression([2]),
});
let server: TestApp;
beforeAll(async () => {
  server = await buildTestApp({ MODELS_DIR: folder.path });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const lines = (count: number) => Array.from({ length: count }, (_unused, k) => `{"x":${k}}\n`).join('');
const wait = (key: string) => ({
  'content-type': 'application/x-ndjson',
  'idempotency-key': key,
  prefer: 'wait=60',
});
/** Submits rows, and resolves with the address of the job once it has ended. */
const runJob = async (rows: number): Promise<string> => {
  const headers = { 'content-type': 'application/x-ndjson' };
  const { body } = await server.post('/predict/batch', lines(rows), headers);
  const path = `/predict/batch/${body.job_id}`;
  const isDone = async () => (await server.get(`${path}?limit=0`)).body.status === 'completed';
  await vi.waitUntil(isDone, { timeout: 40_000, interval: 50 });
  return path;
};

const idOf = ({ headers }: { headers: Record<string, unknown> }) => ({
  'x-request-id': headers['x-request-id'],
});

test('HEAD has the headers of GET, and reads no results', async () => {
  const path = await runJob(20_000);
  const read = vi.spyOn(server.app.jobs, 'readResults');
  const find = vi.spyOn(server.app.jobs, 'find');
  for (const end of ['/results', '/results?offset=5', '/events']) {
    for (const headers of [{}, { accept: 'text/csv' }, { 'accept-encoding': 'gzip' }]) {
      read.mockClear();
      find.mockClear();
      const head = await server.app.inject({ method: 'HEAD', url: path + end, headers });
      // A stream that nobody needs would be read in the turns that follow.
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect([head.statusCode, head.payload, read.mock.calls.length, find.mock.calls.length]).toEqual([
        200,
        '',
        0,
        1,
      ]);
      const whole = await server.app.inject({ method: 'GET', url: path + end, headers });
      const left = Object.entries(whole.headers).filter(([name]) => name !== 'transfer-encoding');
      expect(head.headers).toEqual({ ...Object.fromEntries(left), date: head.headers.date, ...idOf(head) });
    }
  }
  read.mockRestore();
  find.mockRestore();
});

test('all answers from stored results share the places of readers', async () => {
  await server.post('/predict/batch', lines(3), wait('small'));
  const path = await runJob(250_000);
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.app.server.address() as AddressInfo;
  // They do not read what they get.
  const readers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const request = get({ port, path: `${path}/results` });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    }),
  );
  for (const accept of ['application/json', 'application/x-ndjson', 'text/csv']) {
    const refused = await server.post('/predict/batch', lines(3), { ...wait('small'), accept });
    expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
  }
  expect((await server.get(`${path}/results`)).status).toBe(503);
  const head = await server.app.inject({ method: 'HEAD', url: `${path}/results` });
  expect(head.statusCode).toBe(200);
  for (const reader of readers) reader.destroy();
  await vi.waitUntil(
    async () => (await server.post('/predict/batch', lines(3), wait('small'))).status === 200,
    { timeout: 20_000 },
  );
});
