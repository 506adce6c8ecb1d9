import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const header = 'index,prediction,probability,probability_0,probability_1,error,prediction_id';
const good = '{"age":42,"income":5,"credit_score":688}\n';
const bad = '{"age":"a","income":5,"credit_score":688}\n';
const path = '/models/credit-risk/predict/batch';
const ndjson = { 'content-type': 'application/x-ndjson' };

let state: string;
let server: TestApp;
beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), 'sardonyx-columns-'));
  server = await buildTestApp({ STATE_DIR: state });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(state, { recursive: true });
});

const headerOf = async (on: TestApp, address: string) => {
  const { text } = await on.get(address, { accept: 'text/csv' });
  return text.split('\n')[0];
};
const runJob = async (rows: string): Promise<string> => {
  const { body } = await server.post(path, rows, ndjson);
  const address = `/predict/batch/${body.job_id}`;
  await vi.waitUntil(async () => (await server.get(`${address}?limit=0`)).body.status === 'completed', {
    timeout: 20_000,
  });
  return `${address}/results`;
};

test('the columns of CSV are those of the version, whatever rows are asked for', async () => {
  const mixed = await runJob(good + bad.repeat(2));
  expect(await headerOf(server, mixed)).toBe(header);
  for (const offset of [1, 2, 3, 99])
    expect(await headerOf(server, `${mixed}?offset=${offset}`)).toBe(header);
  const failed = await runJob(bad);
  expect(await headerOf(server, failed)).toBe(header);
  const headers = { ...ndjson, accept: 'text/csv', prefer: 'wait=20' };
  for (const key of [{}, { 'idempotency-key': 'columns' }]) {
    const { status, text } = await server.post(path, bad, { ...headers, ...key });
    expect([status, text.split('\n')[0]]).toEqual([200, header]);
  }
});

test('without the version the columns are those of the first row of the job that has an answer', async () => {
  const mixed = await runJob(bad + good + bad);
  using other = createRegistryFolder();
  await using bare = await buildTestApp({ STATE_DIR: state, MODELS_DIR: other.path });
  for (const offset of [0, 1, 2]) expect(await headerOf(bare, `${mixed}?offset=${offset}`)).toBe(header);
});
