import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { echo, gatherByValue, linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const folder = createRegistryFolder();
const features = [{ name: 'x', type: 'number' as const, minimum: -1_000, maximum: 1_000, example: 1 }];
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features },
  model: linearRegression([2]),
});
folder.addVersion('double', '2', {
  manifest: { task: 'regression', features },
  model: linearRegression([3]),
});
folder.addVersion('table', '1', { manifest: { task: 'regression', features }, model: gatherByValue() });
folder.addVersion('image', '1', { manifest: { task: 'tensor' }, model: echo('float32', ['N', 2]) });
folder.write('aliases.json', { default: 'double' });
let server: TestApp;
beforeAll(async () => {
  server = await buildTestApp({
    MODELS_DIR: folder.path,
    BATCH_MAX_ROWS: '5000',
    BATCH_BODY_LIMIT_BYTES: '400000',
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
const rows = (count: number) => Array.from({ length: count }, (_unused, k) => ({ x: k % 1_000 }));
const lines = (values: readonly unknown[]) => values.map((it) => `${JSON.stringify(it)}\n`).join('');
/** The client prefers to wait: the answer has the results. */
const post = (path: string, body: unknown, headers = {}) =>
  server.post(path, body, { prefer: 'wait=30', ...headers });
const postLines = (text: string, headers = {}, path = '/predict/batch') =>
  post(path, text, { 'content-type': 'application/x-ndjson', ...headers });

describe('POST /predict/batch', () => {
  test('waits for a subscriber of predictions that is behind, such as the prediction log', async () => {
    await using slow = await buildTestApp({ MODELS_DIR: folder.path });
    let [isBehind, events] = [false, 0];
    slow.app.predictions.subscribe(
      () => {
        events += 1;
        if (events === 256) isBehind = true;
      },
      { isBehind: () => isBehind },
    );
    const answer = slow.post('/predict/batch', { instances: rows(2_000) }, { prefer: 'wait=30' });
    await vi.waitUntil(() => isBehind, { interval: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    // The rows that ran already, and not the others.
    expect(events).toBeLessThanOrEqual(768);
    isBehind = false;
    expect((await answer).body.completed_instances).toBe(2_000);
    expect(events).toBe(2_000);
  });

  test('does not wait longer than the client does', async () => {
    await using slow = await buildTestApp({ MODELS_DIR: folder.path });
    let isBehind = true;
    slow.app.predictions.subscribe(() => undefined, { isBehind: () => isBehind });
    const { status, body } = await slow.post('/predict/batch', { instances: rows(10) }, { prefer: 'wait=1' });
    expect([status, body.status]).toEqual([202, 'queued']);
    isBehind = false;
  });

  test('answers each row in order, with the version that answered', async () => {
    const { status, body, headers } = await post('/predict/batch', { instances: rows(3) });
    expect(status).toBe(200);
    const id = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect(body).toEqual({
      status: 'completed',
      model: 'double',
      model_version: '2',
      total_instances: 3,
      completed_instances: 3,
      failed_instances: 0,
      results: [0, 3, 6].map((prediction, index) => ({ index, prediction, prediction_id: id })),
    });
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(headers['preference-applied']).toBe('wait=30');
  });

  test('takes a model and a version in the address', async () => {
    const named = await post('/models/double/predict/batch', { instances: rows(2) });
    expect(named.body.results[1].prediction).toBe(3);
    const one = await post('/models/double/versions/1/predict/batch', { instances: rows(2) });
    expect([one.body.model_version, one.body.results[1].prediction]).toEqual(['1', 2]);
    const none = await post('/models/nope/predict/batch', { instances: rows(2) });
    expect([none.status, none.body.code]).toEqual([404, 'model_not_found']);
  });

  test('answers as many rows as allowed, from lines as well, and each as a single request would', async () => {
    const all = rows(5_000);
    for (const answer of [await post('/predict/batch', { instances: all }), await postLines(lines(all))]) {
      expect(answer.status).toBe(200);
      expect(answer.body.total_instances).toBe(5_000);
      expect(answer.body.results.map((it: { prediction: number }) => it.prediction)).toEqual(
        all.map(({ x }) => 3 * x),
      );
    }
    const single = await server.post('/predict', { x: 7 });
    const [first] = (await postLines('{"x":7}')).body.results;
    expect(first.prediction).toBe(single.body.prediction);
  });

  test('a bad row fails alone, with the problems of that row', async () => {
    const { body, status } = await post('/predict/batch', {
      instances: [{ x: 1 }, { x: 'a' }, { y: 1 }, 5, { x: 2 }],
    });
    expect(status).toBe(200);
    expect([body.completed_instances, body.failed_instances]).toEqual([2, 3]);
    expect(body.results[1]).toEqual({
      index: 1,
      error: {
        code: 'invalid_input',
        title: 'The input does not fit the model',
        detail: '1 problem',
        errors: [{ pointer: '/x', message: 'must be a number, got "a"' }],
      },
    });
    expect(body.results[2].error.errors).toHaveLength(2);
    expect(body.results[3].error.code).toBe('invalid_input');
    expect(body.results[4].prediction).toBe(6);
  });

  test('a line that is no JSON fails alone; a row of an object that is no JSON refuses the body', async () => {
    const { body } = await postLines('{"x":1}\n{"x":NaN}\n\n{"x":2}\n');
    expect(
      body.results.map(
        (it: { prediction?: number; error?: { code: string } }) => it.prediction ?? it.error?.code,
      ),
    ).toEqual([3, 'invalid_json', 6]);
    const whole = await post('/predict/batch', '{"instances":[{"x":1},{"x":NaN}]}');
    expect([whole.status, whole.body.code]).toEqual([400, 'invalid_json']);
    expect(whole.body.detail).toMatch(/^Row 1: .*null/);
  });

  test('a row that the engine refuses fails alone', async () => {
    const { body } = await post('/models/table/predict/batch', {
      instances: [{ x: 0 }, { x: 99 }, { x: 1 }],
    });
    expect(body.results.map((it: { prediction?: number }) => it.prediction)).toEqual([10, undefined, 20]);
  });

  test('a row of a tensor model is a body of its own', async () => {
    const instances = [
      { inputs: { X: [[1, 2]] } },
      { inputs: { X: [[3]] } },
      {
        inputs: {
          X: [
            [5, 6],
            [7, 8],
          ],
        },
      },
    ];
    const { body } = await post('/models/image/predict/batch', { instances });
    expect(body.results[0].outputs.variable).toEqual([[1, 2]]);
    expect(body.results[1].error.code).toBe('invalid_input');
    expect(body.results[2].outputs.variable).toHaveLength(2);
  });

  test.each([
    ['another type', 'application/vnd.apache.parquet'],
    ['a type that begins like one', 'application/jsonl'],
  ])('a body of %s is refused, and the message names the types that are taken', async (_what, type) => {
    const { status, body } = await post('/predict/batch', 'x', { 'content-type': type });
    expect([status, body.code]).toEqual([415, 'unsupported_media_type']);
    expect(body.detail).toBe('Send content-type: application/json, application/x-ndjson or text/csv.');
  });

  test('Prefer: wait=N is applied, up to its limit', async () => {
    const ask = async (prefer: string) =>
      (await post('/predict/batch', { instances: rows(1) }, { prefer })).headers['preference-applied'];
    expect(await ask('wait=5')).toBe('wait=5');
    expect(await ask('respond-async, wait=100000')).toBe('wait=300');
    expect(await ask('respond-async')).toBeUndefined();
  });

  test.each([
    ['without a wish to wait', { prefer: '' }],
    ['if the time to wait is too short', { 'x-request-timeout-ms': '1' }],
    ['with prefer: wait=0', { prefer: 'wait=0' }],
  ])('the rows become a job %s', async (_when, wish) => {
    const { status, body, headers } = await post('/predict/batch', { instances: rows(5_000) }, wish);
    expect([status, body.status, body.total_instances, body.model_version]).toEqual([
      202,
      'queued',
      5_000,
      '2',
    ]);
    expect(headers['location']).toBe(`/predict/batch/${body.job_id}`);
  });

  test.each([
    ['no rows', '{"instances":[]}', 400, 'invalid_input'],
    ['another member', '{"instances":[{"x":1}],"model":"double"}', 400, 'invalid_input'],
    ['rows alone', '[{"x":1}]', 400, 'invalid_input'],
    ['nothing', '', 400, 'invalid_json'],
    ['an end too early', '{"instances":[{"x":1}', 400, 'invalid_json'],
    ['too many rows', JSON.stringify({ instances: rows(5_001) }), 413, 'body_too_large'],
    ['too many bytes', JSON.stringify({ instances: [{ x: 'a'.repeat(400_000) }] }), 413, 'body_too_large'],
    ['a row nested too deeply', `{"instances":[${'['.repeat(60)}${']'.repeat(60)}]}`, 400, 'invalid_json'],
    ['another type', ['a,b\n1,2\n', 'text/plain'], 415, 'unsupported_media_type'],
    ['another charset', ['{}', 'application/json; charset=latin1'], 415, 'unsupported_media_type'],
  ])('refuses %s', async (_name, given, status, code) => {
    const [text, type] = typeof given === 'string' ? [given, 'application/json'] : given;
    const answer = await post('/predict/batch', text as string, { 'content-type': type as string });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test('the prediction metrics count each row, by its own status', async () => {
    const count = async (status: string) =>
      Number(
        new RegExp(`predictions_total\\{model="table",model_version="1",status="${status}"\\} (\\d+)`).exec(
          (await server.get('/metrics')).text,
        )?.[1] ?? 0,
      );
    const before = [await count('ok'), await count('invalid_input')];
    await post('/models/table/predict/batch', { instances: [{ x: 1 }, { x: 2 }, { y: 1 }] });
    expect([await count('ok'), await count('invalid_input')]).toEqual([
      (before[0] as number) + 2,
      (before[1] as number) + 1,
    ]);
  });
});

describe('a batch as CSV', () => {
  const postCsv = (text: string, type = 'text/csv', path = '/predict/batch') =>
    post(path, text, { 'content-type': type });

  test.each(['text/csv', 'text/csv; charset=utf-8', 'Text/CSV;header=present'])(
    'answers each record as %s',
    async (type) => {
      const { status, body } = await postCsv('x\n1\nNA\n"2"\n3,4\n', type);
      expect(status).toBe(200);
      expect([body.completed_instances, body.failed_instances]).toEqual([2, 2]);
      expect(body.results.map((it: { prediction?: number }) => it.prediction)).toEqual([
        3,
        undefined,
        6,
        undefined,
      ]);
      expect(body.results[1].error.errors[0]).toEqual({
        pointer: '/x',
        message: 'must be a number, got "NA"',
      });
      expect(body.results[3].error.detail).toBe(
        'The record in line 5 cannot be read: it has 2 fields, and the header has one.',
      );
    },
  );

  test('answers as many rows as allowed', async () => {
    const csv = (count: number) =>
      `x\n${rows(count)
        .map(({ x }) => `${x}\n`)
        .join('')}`;
    const { body } = await postCsv(csv(5_000));
    expect(body.results.map((it: { prediction: number }) => it.prediction)).toEqual(
      rows(5_000).map(({ x }) => 3 * x),
    );
    expect((await postCsv(csv(5_001))).body.code).toBe('body_too_large');
  });

  test('is refused for its header, its type and a model of tensors', async () => {
    const { status, body } = await postCsv('y\n1\n');
    expect([status, body.code, body.errors]).toEqual([
      400,
      'invalid_input',
      [
        { pointer: '/y', message: 'is a column that is not a feature of double; did you mean x?' },
        { pointer: '/x', message: 'is required, and the header has no column "x"' },
      ],
    ]);
    expect((await postCsv('x\n')).body.detail).toMatch(/has no rows/);
    for (const type of ['text/csv; header=absent', 'text/csv; charset=latin1']) {
      expect((await postCsv('x\n1\n', type)).status).toBe(415);
    }
    const tensors = await postCsv('X\n1\n', 'text/csv', '/models/image/predict/batch');
    expect([tensors.status, tensors.body.code]).toEqual([415, 'unsupported_media_type']);
    expect(tensors.body.detail).toMatch(/^image takes tensors/);
  });
});

describe('results in another type', () => {
  const ask = (accept: string, text = 'x\n1\nNA\n2\n') =>
    post('/predict/batch', text, { 'content-type': 'text/csv', accept });

  test('are CSV for a client that prefers it', async () => {
    const { status, text, headers } = await ask('text/csv');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'preference-applied': 'wait=30',
      vary: 'accept',
    });
    const [head, ...records] = text.trimEnd().split('\n');
    expect(head).toBe('index,prediction,error,prediction_id');
    expect(records.map((it) => it.slice(0, 4))).toEqual(['0,3,', '1,,"', '2,6,']);
    expect(records[1]).toContain('must be a number');
  });

  test('are lines for a client that prefers them, each as in the JSON answer', async () => {
    const all = `x\n${rows(3_000)
      .map(({ x }) => x)
      .join('\n')}`;
    const { text, headers } = await ask('application/x-ndjson', all);
    expect(headers['content-type']).toBe('application/x-ndjson');
    const results = text
      .trimEnd()
      .split('\n')
      .map((it) => JSON.parse(it));
    const whole = await ask('*/*', all);
    const plain = (it: { index: number; prediction: number }) => [it.index, it.prediction];
    expect(results.map(plain)).toEqual(whole.body.results.map(plain));
  });

  test('are refused as CSV for a model of tensors', async () => {
    const instances = [{ inputs: { X: [[1, 2]] } }];
    const answer = await post('/models/image/predict/batch', { instances }, { accept: 'text/csv' });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.detail).toMatch(/tensors, which CSV cannot hold/);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  });
});

describe('a compressed batch', () => {
  const send = async (bytes: Buffer, encoding = 'gzip') => {
    const reply = await server.app.inject({
      method: 'POST',
      url: '/predict/batch',
      headers: { 'content-type': 'application/x-ndjson', 'content-encoding': encoding, prefer: 'wait=30' },
      payload: bytes,
    });
    return { status: reply.statusCode, body: JSON.parse(reply.body), headers: reply.headers };
  };

  test('is unpacked', async () => {
    const { status, body } = await send(gzipSync(lines(rows(1_000))));
    expect([status, body.completed_instances]).toEqual([200, 1_000]);
  });

  test('is limited by its bytes after unpacking', async () => {
    const { status, body } = await send(gzipSync(Buffer.alloc(50_000_000, ' ')));
    expect([status, body.code]).toEqual([413, 'body_too_large']);
  });

  test('is refused if it is broken, or compressed in another way', async () => {
    const packed = gzipSync(lines(rows(1_000)));
    for (const bytes of [packed.subarray(0, packed.length - 20), Buffer.from('{"x":1}\n')]) {
      const { status, body } = await send(bytes);
      expect([status, body.code]).toEqual([400, 'invalid_request']);
    }
    const { status, headers } = await send(packed, 'br');
    expect([status, headers['accept-encoding']]).toEqual([415, 'identity, gzip']);
  });
});

describe('over a socket', () => {
  const listen = async () => {
    const live = await buildTestApp({ MODELS_DIR: folder.path });
    await live.app.listen({ port: 0, host: '127.0.0.1' });
    let arrived = 0;
    live.app.server.on('request', () => {
      arrived += 1;
    });
    const { port } = live.app.server.address() as AddressInfo;
    /** A batch whose body has begun. */
    const begin = (text: string) => {
      const headers = { 'content-type': 'application/x-ndjson', prefer: 'wait=30' };
      const request = httpRequest({ port, method: 'POST', path: '/predict/batch', headers });
      request.on('error', () => undefined);
      request.write(text);
      return request;
    };
    const end = async (request: ClientRequest, text = '') => {
      request.end(text);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      let body = '';
      for await (const piece of response.setEncoding('utf8')) body += piece;
      return { status: response.statusCode, headers: response.headers, body: JSON.parse(body) };
    };
    return { ...live, begin, end, arrived: () => arrived };
  };

  test('a body that is refused while it arrives gets its answer', async () => {
    await using live = await listen();
    const request = live.begin(`{"x":1}\n"${'a'.repeat(9_000_000)}`);
    const { status, body } = await live.end(request, `${'a'.repeat(1_000_000)}"`);
    expect([status, body.code]).toEqual([413, 'body_too_large']);
  });

  test('rows are answered although the client waits between them', async () => {
    await using live = await listen();
    const request = live.begin('{"x":1}\n{"x"');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { body } = await live.end(request, ':2}');
    expect(body.results.map((it: { prediction: number }) => it.prediction)).toEqual([3, 6]);
  });

  test('a 65th batch at the same time becomes a job, and clients that leave make room', async () => {
    await using live = await listen();
    const open = Array.from({ length: 64 }, () => live.begin('{"x":1}\n'));
    // Otherwise the next one may be among the first 64.
    await vi.waitUntil(() => live.arrived() === 64, { timeout: 20_000 });
    await vi.waitUntil(async () => (await live.end(live.begin('{"x":1}\n'))).status === 202, {
      timeout: 5_000,
    });
    for (const request of open) request.destroy();
    await vi.waitUntil(async () => (await live.end(live.begin('{"x":1}\n'))).status === 200, {
      timeout: 5_000,
    });
    expect(live.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
    expect((await live.end(live.begin('{"x":1}\n{"x":2}\n'))).body.completed_instances).toBe(2);
  });
});
