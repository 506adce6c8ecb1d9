import { afterAll, describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { readMetricText } from '../../helpers/ask.js';
import { entry, secretOf } from '../../helpers/keys.js';
import { echo, linearRegression } from '../../helpers/onnx-models.js';
import { startRedis } from '../../helpers/redis.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
  model: linearRegression([2]),
});
folder.addVersion('image', '1', { manifest: { task: 'tensor' }, model: echo('float32', ['N', 2]) });
folder.write('aliases.json', { default: 'double' });

const open = (environment: Record<string, string> = {}) =>
  buildTestApp({ MODELS_DIR: folder.path, RATE_LIMIT_WINDOW: '1 hour', ...environment });
const instances = (count: number) => ({
  instances: Array.from({ length: count }, (_unused, x) => ({ x })),
});
const lines = (count: number) => Array.from({ length: count }, (_unused, x) => `{"x":${x}}\n`).join('');
const now = { prefer: 'wait=30' };
const asLines = { 'content-type': 'application/x-ndjson' };
const withKey = (name: string) => ({ authorization: `Bearer ${secretOf(name)}` });
const eventsOf = ({ app }: TestApp) => {
  let events = 0;
  app.predictions.subscribe(() => {
    events += 1;
  });
  return () => events;
};

describe('the limit on rows', () => {
  test.each([
    ['answered at once', now],
    ['kept as a job', {}],
  ])(
    'refuses a batch that is %s before any row is run or a job is accepted',
    async (_name, prefer: object) => {
      await using server = await open({ RATE_LIMIT_ROWS: '1000' });
      const events = eventsOf(server);
      const send = (count: number) => server.post('/predict/batch', lines(count), { ...asLines, ...prefer });
      const isNow = 'prefer' in prefer;
      const first = await send(600);
      expect(first.status).toBe(isNow ? 200 : 202);
      expect(first.headers).toMatchObject({
        'ratelimit-policy': '"rows";q=1000;w=3600',
        ratelimit: '"rows";r=400;t=3600',
      });
      const refused = await send(401);
      expect(refused).toMatchObject({
        status: 429,
        body: {
          code: 'rate_limited',
          detail:
            'The limit of an address without a key is 1000 rows in 3600 s. 400 are left, and this request has 401.',
        },
        headers: { ratelimit: expect.stringMatching(/^"rows";r=400;t=/) },
      });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3_590);
      // A refused batch does not count, so a smaller one passes.
      expect((await send(400)).status).toBe(isNow ? 200 : 202);
      expect((await send(1)).status).toBe(429);
      if (isNow) expect(events()).toBe(1_000);
      else {
        const { jobs } = (await server.get('/predict/batch')).body;
        expect(jobs.map((it: { total_instances: number }) => it.total_instances)).toEqual([400, 600]);
      }
      expect(readMetricText(await server.app.metrics.text(), 'rate_limited_total', 'by="rows"')).toBe(2);
    },
  );

  test.each([
    ['JSON', (count: number) => instances(count), {}],
    ['lines', lines, asLines],
    ['CSV', (count: number) => `x\n${'1\n'.repeat(count)}`, { 'content-type': 'text/csv' }],
  ])('refuses a batch as %s for good if it has more rows than any window', async (_name, body, type) => {
    await using server = await open({ RATE_LIMIT_ROWS: '1000' });
    for (const prefer of [now, {}]) {
      const {
        status,
        body: problem,
        headers,
      } = await server.post('/predict/batch', body(1_001), {
        ...type,
        ...prefer,
      });
      expect([status, problem.code, headers['retry-after']]).toEqual([413, 'body_too_large', undefined]);
      expect(headers['ratelimit-policy']).toBe('"rows";q=1000;w=3600');
      expect(problem.detail).toBe(
        'The limit of an address without a key is 1000 rows in 3600 s. This request has more: send its rows in several requests, and wait between them.',
      );
    }
    expect((await server.post('/predict/batch', body(1_000), { ...type, ...now })).status).toBe(200);
  });

  test('of the server on rows stays the nearer one', async () => {
    await using server = await open({ RATE_LIMIT_ROWS: '1000', BATCH_MAX_ROWS: '10' });
    const { body } = await server.post('/predict/batch', instances(11), now);
    expect(body.detail).toBe('The body has more than 10 rows: send them in several requests.');
  });

  test('counts the instances of KServe requests, and those of tensors', async () => {
    await using server = await open({ RATE_LIMIT_ROWS: '10' });
    const events = eventsOf(server);
    const predict = (model: string, body: unknown) => server.post(`/v1/models/${model}:predict`, body);
    expect((await predict('double', instances(6))).headers['ratelimit']).toBe('"rows";r=4;t=3600');
    expect((await predict('double', instances(5))).status).toBe(429);
    expect((await predict('double', instances(11))).status).toBe(413);
    expect(events()).toBe(8);
    const tensors = await predict('image', { instances: Array.from({ length: 4 }, () => [1, 2]) });
    expect([tensors.status, tensors.headers['ratelimit']]).toEqual([200, expect.stringMatching(/;r=0;/)]);
    expect((await predict('double', instances(1))).status).toBe(429);
    // A request that can have one row only is not counted.
    expect((await server.post('/predict', { x: 1 })).status).toBe(200);
  });

  test.each([
    [
      'a bare value',
      {
        inputs: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      },
    ],
    [
      'an object',
      {
        inputs: {
          X: [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        },
      },
    ],
    ['base64', { inputs: { X: { shape: [3, 2], base64: Buffer.alloc(24).toString('base64') } } }],
  ])('counts the rows of KServe inputs as %s', async (_name, body) => {
    await using server = await open({ RATE_LIMIT_ROWS: '10' });
    const { status, headers, text } = await server.post('/v1/models/image:predict', body);
    expect([status, headers['ratelimit']], text).toEqual([200, '"rows";r=7;t=3600']);
  });

  test('does not count a body that is refused', async () => {
    await using server = await open({ RATE_LIMIT_ROWS: '10' });
    const send = (body: unknown) => server.post('/predict/batch', body, now);
    for (let k = 0; k < 5; k += 1) expect((await send('{"instances":[{"x":1},{"x":2}')).status).toBe(400);
    expect((await send({ instances: [] })).status).toBe(400);
    expect((await send(instances(10))).status).toBe(200);
  });

  test('counts beside the limit on requests, whose header comes first', async () => {
    await using server = await open({ RATE_LIMIT_MAX: '2', RATE_LIMIT_ROWS: '10' });
    const { headers } = await server.post('/predict/batch', instances(4), now);
    expect(headers).toMatchObject({
      'ratelimit-policy': '"default";q=2;w=3600, "rows";q=10;w=3600',
      ratelimit: '"default";r=1;t=3600, "rows";r=6;t=3600',
    });
    expect((await server.post('/predict', { x: 1 })).headers['ratelimit-policy']).toBe(
      '"default";q=2;w=3600',
    );
    expect((await server.post('/predict/batch', instances(1), now)).body.detail).toBe(
      'The limit of an address without a key is 2 in 3600 s.',
    );
  });
});

describe('whose rows are counted', () => {
  const keys = [
    entry('narrow', { rateLimit: { max: 100, rows: 5, window: '1 minute' } }),
    entry('wide', { rateLimit: { max: 20, window: '1 minute' } }),
    entry('free'),
  ];

  test('a key has its own limit, or that of the server, or one by its requests', async () => {
    for (const [settings, narrow, wide, free] of [
      [{}, 'q=5;w=60', 'q=20000;w=60', undefined],
      [{ RATE_LIMIT_ROWS: '9' }, 'q=5;w=60', 'q=9;w=3600', 'q=9;w=3600'],
      [{ RATE_LIMIT_ROWS: '0' }, 'q=5;w=60', undefined, undefined],
      [{ RATE_LIMIT_MAX: '3' }, 'q=5;w=60', 'q=20000;w=60', 'q=3000;w=3600'],
    ] as const) {
      await using server = await open({ API_KEYS: JSON.stringify(keys), ...settings });
      const policyOf = async (name: string) => {
        const headers = { ...now, ...withKey(name) };
        const answer = await server.post('/predict/batch', instances(1), headers);
        return /"rows";(.*)/.exec(String(answer.headers['ratelimit-policy']))?.[1];
      };
      expect([await policyOf('narrow'), await policyOf('wide'), await policyOf('free')]).toEqual([
        narrow,
        wide,
        free,
      ]);
      const narrowly = { ...now, ...withKey('narrow') };
      expect((await server.post('/predict/batch', instances(4), narrowly)).status).toBe(200);
      expect((await server.post('/predict/batch', instances(1), narrowly)).body.detail).toBe(
        'The limit of this key is 5 rows in 60 s. 0 are left, and this request has 1.',
      );
    }
  });

  test('an address has 1,000 for each of its requests by default, and none on a loopback host', async () => {
    for (const [settings, policy] of [
      [{ HOST: '0.0.0.0' }, '"rows";q=100000;w=3600'],
      [{ HOST: '0.0.0.0', RATE_LIMIT_MAX: '7' }, '"rows";q=7000;w=3600'],
      [{ HOST: '0.0.0.0', RATE_LIMIT_ROWS: '50' }, '"rows";q=50;w=3600'],
      [{ HOST: '127.0.0.1', RATE_LIMIT_MAX: '3' }, '"rows";q=3000;w=3600'],
      [{ HOST: '0.0.0.0', RATE_LIMIT_ROWS: '0' }, undefined],
      [{ HOST: '0.0.0.0', RATE_LIMIT_MAX: '0' }, undefined],
      [{ HOST: '127.0.0.1' }, undefined],
    ] as const) {
      await using server = await open({ AUTH: 'off', ...settings });
      const { headers } = await server.post('/predict/batch', instances(1), now);
      expect(/"rows".*/.exec(String(headers['ratelimit-policy']))?.[0]).toBe(policy);
    }
  });

  test('with Redis the servers share one count', async () => {
    await using redis = await startRedis();
    const settings = { REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '2000', RATE_LIMIT_ROWS: '1000' };
    await using one = await open(settings);
    await using two = await open(settings);
    const send = async (server: TestApp, count: number) =>
      (await server.post('/predict/batch', instances(count), now)).status;
    expect([await send(one, 600), await send(two, 401), await send(two, 400), await send(one, 1)]).toEqual([
      200, 429, 200, 429,
    ]);
  });
});
