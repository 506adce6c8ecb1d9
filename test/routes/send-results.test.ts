import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { endedJobFolder } from '../helpers/ended-job-folder.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const folder = createRegistryFolder();
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number' as const }] },
  model: linearRegression([2]),
});
let server: TestApp;
let state: string;
beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), 'sardonyx-results-'));
  server = await buildTestApp({ MODELS_DIR: folder.path, STATE_DIR: state });
  await server.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  rmSync(state, { recursive: true });
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

/** The answer with the results, of which nothing has been read. */
const openResults = async (path: string, headers = {}): Promise<IncomingMessage> => {
  const { port } = server.app.server.address() as AddressInfo;
  const request = get({ port, path: `${path}/results`, headers });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
};

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
  // They do not read what they get.
  const readers = await Promise.all(Array.from({ length: 50 }, () => openResults(path)));
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

test.each([{}, { accept: 'text/csv' }, { 'accept-encoding': 'gzip' }])(
  'an answer breaks off if results of a completed job are gone: %j',
  async (headers) => {
    const path = await runJob(250_000);
    const id = path.slice('/predict/batch/'.length);
    const response = await openResults(path, headers);
    rmSync(join(await endedJobFolder(state, id), 'results', '000030'));
    expect(response.statusCode).toBe(200);
    await expect(once(response.resume(), 'end')).rejects.toThrow('aborted');
    expect(response.complete).toBe(false);
    // From the row on that is gone there are no first bytes either.
    const none = await server.get(`${path}/results?offset=245760`);
    expect([none.status, none.body.code]).toEqual([500, 'internal']);
  },
);
