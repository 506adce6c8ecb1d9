import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get as httpGet, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { entry, withKey } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const folder = createRegistryFolder();
const features = [{ name: 'x', type: 'number' as const, maximum: 1_000_000 }];
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features },
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

const ndjson = { 'content-type': 'application/x-ndjson' };
const lines = (count: number) => Array.from({ length: count }, (_unused, k) => `{"x":${k}}\n`).join('');
const submit = async (body: string, headers = {}, on = server) => {
  const answer = await on.post('/predict/batch', body, { ...ndjson, ...headers });
  expect(answer.status, answer.text).toBe(202);
  return String(answer.body.job_id);
};
const ended = (id: string, headers = {}, on = server) =>
  vi.waitUntil(
    async () => {
      const { body } = await on.get(`/predict/batch/${id}`, headers);
      return ['queued', 'running'].includes(body.status) ? undefined : body;
    },
    { timeout: 20_000 },
  );

describe('a batch job', () => {
  test('is accepted, runs, and has a result for each row in order', async () => {
    const answer = await server.post('/predict/batch', lines(5_000), ndjson);
    expect(answer.status).toBe(202);
    const id = answer.body.job_id;
    expect(answer.headers['location']).toBe(`/predict/batch/${id}`);
    expect(answer.body).toEqual({
      job_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'queued',
      model: 'double',
      model_version: '1',
      total_instances: 5_000,
      completed_instances: 0,
      failed_instances: 0,
      progress: 0,
      created_at: expect.stringMatching(/^\d{4}-/),
    });
    const job = await ended(id);
    expect(job).toMatchObject({ status: 'completed', completed_instances: 5_000, progress: 1, next: 1_000 });
    expect(Date.parse(job.expires_at) - Date.parse(job.ended_at)).toBe(86_400_000);
    expect(job.results).toHaveLength(1_000);
    const { text, headers } = await server.get(`/predict/batch/${id}/results`);
    expect([headers['content-type'], headers['x-job-status']]).toEqual(['application/x-ndjson', 'completed']);
    const results = text
      .trim()
      .split('\n')
      .map((it) => JSON.parse(it));
    expect(results.map((it) => [it.index, it.prediction])).toEqual(
      Array.from({ length: 5_000 }, (_unused, k) => [k, 2 * k]),
    );
    expect(new Set(results.map((it) => it.prediction_id)).size).toBe(5_000);
  });

  test('has results from any row on, and pages of them', async () => {
    const id = await submit(lines(9_500));
    await ended(id);
    for (const offset of [0, 1, 8_191, 8_192, 9_499, 9_500, 99_999]) {
      const { text } = await server.get(`/predict/batch/${id}/results?offset=${offset}`);
      const indices = text
        .split('\n')
        .filter(Boolean)
        .map((it) => JSON.parse(it).index);
      expect(indices).toEqual(
        Array.from({ length: Math.max(0, 9_500 - offset) }, (_unused, k) => k + offset),
      );
    }
    const page = (await server.get(`/predict/batch/${id}?offset=8190&limit=4`)).body;
    expect([page.results.map((it: { index: number }) => it.index), page.next]).toEqual([
      [8_190, 8_191, 8_192, 8_193],
      8_194,
    ]);
    const last = (await server.get(`/predict/batch/${id}?offset=9498&limit=10`)).body;
    expect([last.results.length, last.next]).toEqual([2, undefined]);
    const none = (await server.get(`/predict/batch/${id}?limit=0`)).body;
    expect(none.results).toBeUndefined();
  });

  test('gives its results compressed to a client that accepts gzip', async () => {
    const id = await submit(lines(3));
    await ended(id);
    const ask = (encoding: string) =>
      server.app.inject({ url: `/predict/batch/${id}/results`, headers: { 'accept-encoding': encoding } });
    const packed = await ask('br, gzip;q=0.5');
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.rawPayload).toString().trim().split('\n')).toHaveLength(3);
    expect((await ask('gzip;q=0')).headers['content-encoding']).toBeUndefined();
  });

  test('gives its results as CSV to a client that asks for it', async () => {
    await using samples = await buildTestApp();
    const path = '/models/credit-risk/predict/batch';
    const rows = [
      '{"age":42,"income":5,"credit_score":688}',
      '{"age":"a, \\"b\\"","income":5,"credit_score":1}',
    ];
    const { body } = await samples.post(path, rows.join('\n'), ndjson);
    const { results } = await ended(body.job_id, {}, samples);
    const csv = await samples.get(`/predict/batch/${body.job_id}/results`, { accept: 'text/csv' });
    expect(csv.headers['content-type']).toContain('text/csv');
    const { prediction, probability, probabilities, prediction_id: id } = results[0];
    expect(csv.text.split('\n')).toEqual([
      'index,prediction,probability,probability_0,probability_1,error,prediction_id',
      `0,${prediction},${probability},${probabilities[0]},${probabilities[1]},,${id}`,
      expect.stringMatching(
        /^1,,,,,"invalid_input: \/age must be a whole number, got ""a, .*; \/credit_score .*",$/,
      ),
      '',
    ]);
  });

  test('has the error of each row that fails, as a batch that is answered at once has', async () => {
    const body = '{"x":1}\n{"x":"a"}\nnonsense\n{"x":2}\n';
    const id = await submit(body);
    const job = await ended(id);
    expect([job.completed_instances, job.failed_instances]).toEqual([2, 2]);
    const { results } = (await server.post('/predict/batch', body, { ...ndjson, prefer: 'wait=30' })).body;
    const strip = (all: { prediction_id?: string }[]) => all.map(({ prediction_id: _id, ...rest }) => rest);
    expect(strip(job.results)).toEqual(strip(results));
  });

  test('keeps errors of records that were no rows', async () => {
    const id = await submit('x\n1\n2,3\n4\n', { 'content-type': 'text/csv' });
    const { results } = await ended(id);
    expect(
      results.map((it: { prediction?: number; error?: { code: string } }) => it.prediction ?? it.error?.code),
    ).toEqual([2, 'invalid_input', 8]);
  });

  test.each([
    ['a row that is no JSON in an object', '{"instances":[{"x":1},{"x":NaN}]}', {}, 400, 'invalid_json'],
    ['no rows', '\n\n', ndjson, 400, 'invalid_input'],
    [
      'an idempotency key that is no text',
      '{"x":1}',
      { ...ndjson, 'idempotency-key': 'ä' },
      400,
      'invalid_request',
    ],
  ])('is refused for %s, and leaves nothing', async (_why, body, headers, status, code) => {
    const before = (await server.get('/predict/batch')).body.jobs.length;
    const answer = await server.post('/predict/batch', body, headers);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect((await server.get('/predict/batch')).body.jobs).toHaveLength(before);
  });

  test('that does not exist is not found, whatever its name is', async () => {
    for (const id of ['x', '..%2f..', '01a22388-7e42-7c39-8f0a-4d0d6f1e2b11', 'A'.repeat(90)]) {
      for (const end of ['', '/results', '/events']) {
        const { status, body } = await server.get(`/predict/batch/${id}${end}`);
        expect([status, body.code], id + end).toEqual([404, 'job_not_found']);
      }
    }
  });

  test.each(['offset=-1', 'offset=x', 'limit=10001', 'of=1'])('refuses the query %s', async (query) => {
    const { status, body } = await server.get(`/predict/batch/01a22388-7e42-7c39-8f0a-4d0d6f1e2b11?${query}`);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.detail).toMatch(/offset|limit/);
  });
});

describe('DELETE', () => {
  test('cancels a job; the results that it has stay', async () => {
    await using slow = await buildTestApp({ MODELS_DIR: folder.path, BATCH_MAX_ROWS: '1000000' });
    const id = await submit(lines(200_000), {}, slow);
    const answer = await slow.app.inject({ method: 'DELETE', url: `/predict/batch/${id}` });
    expect([answer.statusCode, answer.json().status]).toEqual([200, 'cancelled']);
    const job = (await slow.get(`/predict/batch/${id}`)).body;
    expect(job.completed_instances).toBeLessThan(200_000);
    const { text } = await slow.get(`/predict/batch/${id}/results`);
    expect(text.split('\n').filter(Boolean)).toHaveLength(job.completed_instances);
    const again = await slow.app.inject({ method: 'DELETE', url: `/predict/batch/${id}` });
    expect([again.statusCode, again.json().code]).toEqual([409, 'job_not_cancellable']);
  });
});

describe('an idempotency key', () => {
  test('answers a repeated submission with the first job, and other rows with a conflict', async () => {
    const key = { 'idempotency-key': 'order 7' };
    const ids = await Promise.all(Array.from({ length: 20 }, () => submit(lines(10), key)));
    expect(new Set(ids).size).toBe(1);
    const other = await server.post('/predict/batch', lines(11), { ...ndjson, ...key });
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_conflict']);
    await ended(ids[0] as string);
    expect(await submit(lines(10), key)).toBe(ids[0]);
  });

  test('with prefer: wait=N the answer has the results of the job', async () => {
    const headers = { ...ndjson, 'idempotency-key': 'wait', prefer: 'wait=20' };
    const first = await server.post('/predict/batch', lines(3_000), headers);
    expect([first.status, first.body.completed_instances, first.body.results.length]).toEqual([
      200, 3_000, 3_000,
    ]);
    const second = await server.post('/predict/batch', lines(3_000), headers);
    expect(second.body.results).toEqual(first.body.results);
    const third = await server.post('/predict/batch', lines(3_000), { ...headers, accept: 'text/csv' });
    expect([third.status, third.headers['x-job-status']]).toEqual([200, 'completed']);
    expect(third.text.trimEnd().split('\n')).toHaveLength(3_001);
  });
});

describe('with API keys', () => {
  test('a job belongs to the key that submitted it, and to the models of the key', async () => {
    const keys = [entry('a'), entry('b'), { ...entry('c'), models: ['other'] }];
    await using guarded = await buildTestApp({ MODELS_DIR: folder.path, API_KEYS: JSON.stringify(keys) });
    const as = withKey;
    const key = { 'idempotency-key': 'same' };
    const id = await submit(lines(5), { ...as('a'), ...key }, guarded);
    await ended(id, as('a'), guarded);
    const other = await submit(lines(6), { ...as('b'), ...key }, guarded);
    expect(other).not.toBe(id);
    for (const end of ['', '/results', '/events']) {
      const { status, body } = await guarded.get(`/predict/batch/${id}${end}`, as('b'));
      expect([status, body.code]).toEqual([404, 'job_not_found']);
    }
    const removal = await guarded.app.inject({
      method: 'DELETE',
      url: `/predict/batch/${id}`,
      headers: as('b'),
    });
    expect(removal.statusCode).toBe(404);
    const listed = (await guarded.get('/predict/batch', as('a'))).body.jobs;
    expect(listed.map((it: { job_id: string }) => it.job_id)).toEqual([id]);
    expect((await guarded.get('/predict/batch', as('c'))).body.jobs).toEqual([]);
    expect((await guarded.get('/predict/batch')).status).toBe(401);
  });
});

describe('the list of jobs', () => {
  test('has the latest first, in pages', async () => {
    await using fresh = await buildTestApp({ MODELS_DIR: folder.path });
    const ids: string[] = [];
    for (let k = 0; k < 5; k += 1) {
      ids.push(await submit(lines(1), {}, fresh));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const seen: string[] = [];
    for (let before = ''; ; ) {
      const { body } = await fresh.get(`/predict/batch?limit=2${before}`);
      seen.push(...body.jobs.map((it: { job_id: string }) => it.job_id));
      if (body.next === undefined) break;
      before = `&before=${body.next}`;
    }
    expect(seen).toEqual(ids.reverse());
    const { status, body } = await fresh.get('/predict/batch?before=2027-01-01');
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('events', () => {
  test('show the progress until the end', async () => {
    await using live = await buildTestApp({ MODELS_DIR: folder.path });
    await live.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = live.app.server.address() as AddressInfo;
    const id = await submit(lines(100_000), {}, live);
    const [response] = (await once(httpGet({ port, path: `/predict/batch/${id}/events` }), 'response')) as [
      IncomingMessage,
    ];
    expect(response.headers['content-type']).toBe('text/event-stream');
    let text = '';
    for await (const piece of response.setEncoding('utf8')) text += piece;
    const events = text.split('\n\n').filter(Boolean);
    const last = /^event: end\ndata: (.*)$/.exec(events.at(-1) ?? '')?.[1];
    expect(JSON.parse(last ?? '')).toMatchObject({ job_id: id, status: 'completed', progress: 1 });
    expect(events.slice(0, -1).every((it) => it.startsWith('event: progress\ndata: {'))).toBe(true);
  });

  test.each([
    ['its key is revoked', entry('b')],
    ['its key loses the model', { ...entry('a'), models: ['other'] }],
    ['its key loses the scope', { ...entry('a'), scopes: ['read' as const] }],
  ])('stop for a client if %s', async (_what, after) => {
    const state = mkdtempSync(join(tmpdir(), 'jobs-'));
    const file = join(state, 'keys.json');
    writeFileSync(file, JSON.stringify([entry('a')]), { mode: 0o600 });
    {
      await using live = await buildTestApp({
        MODELS_DIR: folder.path,
        API_KEYS_FILE: file,
        STATE_DIR: state,
        // Nothing runs the job.
        JOBS_WORK: 'off',
      });
      await live.app.listen({ port: 0, host: '127.0.0.1' });
      const { port } = live.app.server.address() as AddressInfo;
      const id = await submit(lines(10), withKey('a'), live);
      const path = `/predict/batch/${id}/events`;
      const [response] = (await once(httpGet({ port, path, headers: withKey('a') }), 'response')) as [
        IncomingMessage,
      ];
      expect(response.statusCode).toBe(200);
      await once(response, 'data');
      writeFileSync(file, JSON.stringify([after]));
      await live.app.reloadFiles();
      await once(response.resume(), 'end');
      expect(response.complete).toBe(true);
    }
    rmSync(state, { recursive: true });
  });
});

describe('the store', () => {
  test('runs on another server what one server has accepted', async () => {
    const state = mkdtempSync(join(tmpdir(), 'jobs-'));
    const settings = { MODELS_DIR: folder.path, STATE_DIR: state };
    let id = '';
    {
      await using first = await buildTestApp(settings);
      id = await submit(lines(60_000), {}, first);
    }
    await using second = await buildTestApp(settings);
    const job = await ended(id, {}, second);
    expect([job.status, job.completed_instances]).toEqual(['completed', 60_000]);
    const { text } = await second.get(`/predict/batch/${id}/results`);
    expect(
      text
        .split('\n')
        .filter(Boolean)
        .map((it) => JSON.parse(it).index),
    ).toEqual(Array.from({ length: 60_000 }, (_unused, k) => k));
    expect(readdirSync(join(state, 'jobs', 'drafts'))).toEqual([]);
    rmSync(state, { recursive: true });
  });

  test('that cannot be written refuses jobs with 503, and answers batches that can be answered at once', async () => {
    await using broken = await buildTestApp({ MODELS_DIR: folder.path, STATE_DIR: '/proc/nowhere' });
    const refused = await broken.post('/predict/batch', lines(3), ndjson);
    expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([
      503,
      'jobs_unavailable',
      '5',
    ]);
    expect(refused.text).not.toContain('/proc');
    expect(broken.logs.some(({ msg }) => msg === 'the store of batch jobs failed')).toBe(true);
    const now = await broken.post('/predict/batch', lines(3), { ...ndjson, prefer: 'wait=5' });
    expect(now.body.completed_instances).toBe(3);
  });

  test('refuses a job beyond the limit of open jobs', async () => {
    await using full = await buildTestApp({ MODELS_DIR: folder.path, JOBS_MAX_OPEN: '1' });
    const id = await submit(lines(100_000), {}, full);
    const refused = await full.post('/predict/batch', lines(3), ndjson);
    expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
    await ended(id, {}, full);
    await submit(lines(3), {}, full);
  });

  test('fails a job whose version is gone, and says so', async () => {
    using own = createRegistryFolder();
    own.addVersion('m', '1', { manifest: { task: 'regression', features }, model: linearRegression([2]) });
    const state = mkdtempSync(join(tmpdir(), 'jobs-'));
    let id = '';
    {
      await using first = await buildTestApp({ MODELS_DIR: own.path, STATE_DIR: state });
      id = await submit(lines(100_000), {}, first);
    }
    await using second = await buildTestApp({ MODELS_DIR: folder.path, STATE_DIR: state });
    const job = await ended(id, {}, second);
    expect(job.status).toBe('failed');
    expect(job.error).toEqual({
      code: 'model_not_found',
      title: 'There is no such model',
      detail: 'm 1 is not on this server any more.',
    });
    rmSync(state, { recursive: true });
  });
});
