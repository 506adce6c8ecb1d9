import { METHODS } from 'node:http';
import { expect } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { entry, secretOf, withKey } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { listRoutes } from '../helpers/routes.js';
import { fault } from './instruments/fault.js';
import { openFrom, sendRaw } from './instruments/raw-http.js';

const folder = createRegistryFolder();
folder.addVersion('mine', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number' }] },
  model: linearRegression([2], 1),
});

/** Node's methods, those of RTSP and HTTP/2 (its parser knows and refuses them), and unknown ones. */
const methods = [
  ...METHODS,
  ...[
    'FOO',
    'get',
    'GETX',
    'PRI',
    'DESCRIBE',
    'PLAY',
    'GET_PARAMETER',
    'BREW',
    'X-Y',
    "!#$%&'*+-.^_`|~",
    'QUERYX',
  ],
];
const unknownTargets = [
  '/nope',
  '/v1/nope',
  '/predict/',
  '/predict?x=1',
  // Node's parser accepts "*" with OPTIONS only.
  'http://other.example/predict',
  '//predict',
];
const limit = 3;
const isOpen = (url: string) =>
  /^\/((health|docs|errors|openapi.json|metrics)(\/|$)|console\/:file$|$)/.test(url);
/** The path of a target, as in a route. */
const toRoute = (url: string) => url.replace(/^http:\/\/[^/]*|\?.*/g, '');
const typeOf = (url: string) =>
  url.startsWith('/v1/') ? 'application/json' : 'application/problem+json; charset=utf-8';

const keys = JSON.stringify([
  entry('all', { scopes: ['predict', 'read', 'metrics', 'admin'] }),
  entry('few', { scopes: ['metrics'], models: ['other'] }),
]);
const environment = { MODELS_DIR: folder.path, API_KEYS: keys };
const golden = { path: '/models/mine/predict', body: { x: 2 }, headers: withKey('all') };

/** Writes the bytes of a request, since client libraries refuse most of these. */
function write(method: string, target: string, key: string | undefined, body: string | undefined): string {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: a',
    'Connection: close',
    ...(key === undefined ? [] : [`X-API-Key: ${secretOf(key)}`]),
    ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

const countUnmatched = (url: string) =>
  readMetric(url, 'http_request_duration_seconds_count', 'route="unmatched"');

fault(
  'H15',
  'a method that an address does not support is authenticated, counted and refused',
  async ({ server }) => {
    const routes = await listRoutes({ MODELS_DIR: folder.path });
    const taken = new Set(routes.map(({ method, route }) => `${method} ${route}`));
    const urls = [...new Set(routes.map(({ route }) => route))];
    expect(urls).toContain('/models/:model/versions/:version/predict');
    const toTarget = (url: string) =>
      url.replace(':model', 'mine').replace(':version', '1').replace('*', 'static/index.css');
    const asked = [...urls, ...unknownTargets].flatMap((url) =>
      methods
        .filter((method) => !taken.has(`${method} ${toRoute(url)}`))
        .flatMap((method) =>
          [undefined, 'all', 'few', 'wrong'].flatMap((key) =>
            [undefined, '{"x":1}', '{"x'].map((body) => ({ method, url, key, body })),
          ),
        ),
    );
    const before = await countUnmatched(server.url);
    const others: string[] = [];
    const counts: Record<number, number> = {};
    const ask = async ({ method, url, key, body }: (typeof asked)[number]) => {
      const bytes = write(method, toTarget(url), key, body);
      const answer = await sendRaw(server.port, bytes, 5_000);
      counts[answer.status] = (counts[answer.status] ?? 0) + 1;
      const isProblem = answer.headers.get('content-type') === typeOf(url);
      const needsKey = urls.includes(toRoute(url)) && !isOpen(url);
      const expected = key === 'wrong' ? [403, 429] : needsKey && key === undefined ? [401] : [404, 405];
      if (!isProblem || !expected.includes(answer.status)) {
        others.push(`${method} ${url} ${key} ${body}: ${answer.status}`);
      }
      if (answer.status === 405 && method !== 'CONNECT')
        expect(answer.headers.get('allow')).toMatch(/^[A-Z]+/);
    };
    const queue = asked.values();
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (const each of queue) await ask(each);
      }),
    );
    const after = await countUnmatched(server.url);
    expect(others).toEqual([]);
    expect(after - before, 'counted requests').toBe(asked.length);
    expect(server.stdout.filter((line) => /"stack"|"level":50/.test(line))).toEqual([]);
    const statuses = Object.entries(counts).map(([status, count]) => `${status}: ${count}`);
    return `unexpected answers ${others.length} of ${asked.length} (${statuses.join(', ')}), uncounted 0`;
  },
  { environment, golden, timeoutMs: 240_000 },
);

fault(
  'H15',
  'requests that match no route count against the rate limit of their client',
  async ({ server }) => {
    const forms = {
      QUERY: write('QUERY', '/predict', undefined, undefined),
      'an unknown method': write('FOO', '/predict', undefined, undefined),
      CONNECT: write('CONNECT', 'other.example:80', undefined, undefined),
      'an unknown address': write('GET', '/nope', undefined, undefined),
      'an address that cannot be decoded': write('GET', '/%zz', undefined, undefined),
      'a name that is too long': write('GET', `/models/${'x'.repeat(300)}`, undefined, undefined),
      'a method of an open address': write('POST', '/health', undefined, '{}'),
    };
    let wrong = 0;
    for (const [k, [name, bytes]] of Object.entries(forms).entries()) {
      const open = openFrom(`127.0.7.${k + 1}`);
      const statuses: number[] = [];
      for (let n = 0; n < limit + 2; n += 1) {
        const { status, headers } = await sendRaw(server.port, bytes, 5_000, open);
        statuses.push(status);
        expect(headers.get('ratelimit'), name).toMatch(/^"default";r=\d+;t=\d+$/);
      }
      const isRight = statuses.every((status, n) => (n < limit ? status !== 429 : status === 429));
      if (!isRight) wrong += 1;
      expect(statuses.slice(limit), name).toEqual([429, 429]);
      expect(statuses.slice(0, limit), name).not.toContain(429);
    }
    return `unlimited ${wrong} of ${Object.keys(forms).length}`;
  },
  { environment: { AUTH: 'off', RATE_LIMIT_MAX: '3', MODELS_DIR: folder.path }, golden: undefined },
);
