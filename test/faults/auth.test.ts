import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { scopes } from '../../src/auth/api-key.js';
import { entry, secretOf, withKey } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { listRoutes } from '../helpers/routes.js';
import { runServerToItsEnd, startServerProcess, waitForLine } from '../helpers/server-process.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { openFrom, sendRaw } from './instruments/raw-http.js';

const folder = createRegistryFolder();
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-auth-'));
afterAll(() => {
  folder[Symbol.dispose]();
  rmSync(temp, { recursive: true });
});
for (const name of ['main', 'mine', 'other']) {
  folder.addVersion(name, '1', {
    manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
    model: linearRegression([2], 1),
  });
}
folder.write('aliases.json', { default: 'main', 'my-alias': 'mine', 'other-alias': 'other' });

const all = [...scopes];
const keys = [
  entry('a'),
  entry('b'),
  entry('old', { expires: '2020-01-01T00:00:00Z' }),
  entry('all', { scopes: all }),
  entry('one', { scopes: all, models: ['mine', 'planned'] }),
  ...scopes.map((scope) => entry(`only-${scope}`, { scopes: [scope] })),
];
const options = {
  environment: {
    MODELS_DIR: folder.path,
    API_KEYS: JSON.stringify(keys),
    METRICS_AUTH: 'key',
    ERROR_DETAIL: 'off',
  },
  golden: { path: '/predict', body: { x: 20 }, headers: withKey('all') },
};

fault(
  'A01',
  'missing, malformed, wrong and contradictory keys are refused',
  async ({ server }) => {
    const [a, b] = [secretOf('a'), secretOf('b')];
    const missing: string[][] = [
      [],
      ['X-API-Key:'],
      ['X-API-Key: a key with spaces'],
      [`X-API-Key: "${a}"`],
      [`X-API-Key: ${'k'.repeat(300)}`],
      ['X-API-Key: \u00e4\u00f6'],
      [`X-API-Key: Bearer ${a}`],
      ['Authorization:'],
      ['Authorization: Bearer'],
      [`Authorization: ${a}`],
      [`Authorization: Basic ${a}`],
      [`Authorization: Bearer ${a} ${a}`],
      [`Authorization: Bearer ${a}, Bearer ${a}`],
      [`X-API-Key: ${a}`, `Authorization: Bearer ${b}`],
      [`X-API-Key: ${a}`, `Authorization: Bearer nobody`],
      [`X-API-Key: ${a}`, `X-API-Key: ${b}`],
      [`X-API-Key: ${a}`, `x-api-key: ${a}`],
      [`Authorization: Bearer ${a}`, `Authorization: Bearer ${b}`],
      [`Authorization: Basic x`, `Authorization: Bearer ${a}`],
      [`Cookie: x-api-key=${a}`],
    ];
    const wrong = ['nobody', 'old', 'a-and-more', 'A'].map((name) => [`X-API-Key: ${secretOf(name)}`]);
    const sound = [
      [`X-API-Key: ${a}`],
      [`x-api-key:   ${a}  `],
      [`Authorization: Bearer ${a}`],
      [`AUTHORIZATION: bearer  ${a}`],
      [`X-API-Key: ${a}`, `Authorization: Bearer ${a}`],
      [`X-API-Key: ${a}`, 'Authorization: Basic YTpi'],
    ];
    const table: Record<string, number> = {};
    // Each address may send 20 wrong keys, so each request has its own address.
    let address = 1;
    const ask = async (headers: readonly string[], target = '/predict') => {
      address += 1;
      const body = '{"x":1}';
      const head = [`POST ${target} HTTP/1.1`, 'Host: a', 'Connection: close', 'X-Request-Id: same'];
      const more = ['Content-Type: application/json', `Content-Length: ${body.length}`, ...headers];
      const text = `${[...head, ...more].join('\r\n')}\r\n\r\n${body}`;
      const answer = await sendRaw(
        server.port,
        Buffer.from(text, 'latin1'),
        5_000,
        openFrom(`127.1.0.${address}`),
      );
      const code = answer.status === 200 ? '' : ` ${JSON.parse(answer.body).code}`;
      table[`${answer.status}${code}`] = (table[`${answer.status}${code}`] ?? 0) + 1;
      return answer;
    };
    for (const headers of missing) {
      const answer = await ask(headers);
      expect([answer.status, answer.headers.get('www-authenticate')], headers.join()).toEqual([
        401,
        'Bearer realm="sardonyx"',
      ]);
    }
    for (const name of ['api_key', 'x-api-key', 'access_token', 'key']) {
      expect((await ask([], `/predict?${name}=${a}`)).status).toBe(401);
    }
    const bodies = new Set<string>();
    for (const headers of wrong) {
      const answer = await ask(headers);
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([403, undefined]);
      bodies.add(answer.body);
    }
    expect(bodies.size).toBe(1);
    for (const headers of sound) expect((await ask(headers)).status, headers.join()).toBe(200);
    return Object.entries(table)
      .map(([what, count]) => `${what}: ${count}`)
      .join(', ');
  },
  options,
);

type Kind = 'open' | 'metrics' | 'predict' | 'read' | 'admin';
/** The scope that each route needs. A route that is missing here fails the row. */
const expected: Readonly<Record<string, Kind>> = {
  '/predict': 'predict',
  '/models/:model/predict': 'predict',
  '/models/:model/versions/:version/predict': 'predict',
  '/predict/batch': 'predict',
  '/models/:model/predict/batch': 'predict',
  '/models/:model/versions/:version/predict/batch': 'predict',
  '/predict/batch/:job_id': 'predict',
  '/predict/batch/:job_id/results': 'predict',
  '/predict/batch/:job_id/events': 'predict',
  '/feedback': 'predict',
  '/models': 'read',
  '/models/:model/drift': 'read',
  '/models/:model/quality': 'read',
  '/console/data': 'read',
  '/models/:model': 'read',
  '/models/:model/versions/:version': 'read',
  '/admin/cache': 'admin',
  '/': 'open',
  '/console/:file': 'open',
  '/v1/models': 'read',
  ...Object.fromEntries(
    ['', '/versions/:version', '/labels/:version'].flatMap((of) => [
      ...['', '/metadata'].map((end) => [`/v1/models/:model${of}${end}`, 'read'] as const),
      ...['predict', 'classify', 'regress', 'explain'].map(
        (verb) => [`/v1/models/:model${of}:${verb}`, 'predict'] as const,
      ),
    ]),
  ),
  '/metrics': 'metrics',
  '/health': 'open',
  '/health/live': 'open',
  '/health/ready': 'open',
  '/errors': 'open',
  '/openapi.json': 'open',
};
const kindOf = (route: string): Kind | undefined => (/^\/docs(\/|$)/.test(route) ? 'open' : expected[route]);

fault(
  'A05',
  'a key reaches what its scopes and models allow, and nothing else',
  async ({ server }) => {
    const routes = await listRoutes({ MODELS_DIR: folder.path });
    expect(routes.filter(({ route }) => kindOf(route) === undefined)).toEqual([]);
    let attempts = 0;
    const wrong: string[] = [];
    const ask = async (method: string, path: string, headers: Record<string, string>) => {
      attempts += 1;
      const body = method === 'POST' ? { body: '{"x":1}' } : {};
      const init = { method, headers: { 'content-type': 'application/json', ...headers }, ...body };
      const answer = await fetch(server.url + path, init);
      return { status: answer.status, text: await answer.text() };
    };
    const check = (label: string, got: number, isAllowed: boolean) => {
      if ([401, 403].includes(got) === isAllowed) wrong.push(`${label}: ${got}`);
    };
    for (const { method, route } of routes) {
      const kind = kindOf(route);
      const path = route.replace(':model', 'mine').replace(':version', '1').replace('*', 'static/index.css');
      for (const scope of scopes) {
        const { status } = await ask(method, path, withKey(`only-${scope}`));
        check(`${method} ${path} with ${scope}`, status, kind === 'open' || kind === scope);
      }
      check(`${method} ${path} without`, (await ask(method, path, {})).status, kind === 'open');
      check(`${method} ${path} with all`, (await ask(method, path, withKey('all'))).status, true);
      if (!route.includes(':model')) continue;
      const refusals = new Set<string>();
      for (const model of [
        'other',
        'other-alias',
        'main',
        'default',
        'nope',
        '%2e%2e%2fother',
        '__proto__',
        'mine%00',
      ]) {
        const { status, text } = await ask(method, path.replace('mine', model), {
          ...withKey('one'),
          'x-request-id': 'same',
        });
        check(`${method} ${route} of ${model}`, status, false);
        if (status === 403) refusals.add(text);
      }
      expect(refusals.size, 'one body for all').toBe(1);
      for (const model of ['mine', 'my-alias', 'planned']) {
        const { status } = await ask(method, path.replace('mine', model), withKey('one'));
        check(`${method} ${route} of ${model}`, status, true);
      }
    }
    check('POST /predict of another', (await ask('POST', '/predict', withKey('one'))).status, false);
    const { models } = JSON.parse((await ask('GET', '/models', withKey('one'))).text);
    expect(models.map(({ name }: { name: string }) => name)).toEqual(['mine']);
    const submitted = await ask('POST', '/models/mine/predict/batch', {
      ...withKey('all'),
      'content-type': 'application/x-ndjson',
    });
    expect(submitted.status).toBe(202);
    const { job_id: id } = JSON.parse(submitted.text);
    for (const [method, end] of [
      ['GET', ''],
      ['GET', '/results'],
      ['GET', '/events'],
      ['DELETE', ''],
    ] as const) {
      const { status } = await ask(method, `/predict/batch/${id}${end}`, withKey('only-predict'));
      if (status !== 404) wrong.push(`${method} ${end} of another key's job: ${status}`);
    }
    expect((await ask('GET', `/predict/batch/${id}`, withKey('all'))).status).toBe(200);
    expect(wrong).toEqual([]);
    return `wrong allows or refusals ${wrong.length} of ${attempts}, ${routes.length} routes`;
  },
  options,
);

faultWithoutServer(
  'A06',
  'a server that would be open to a network does not start, and says why in one line',
  async () => {
    const broken = join(temp, 'broken.json');
    writeFileSync(broken, '[{"id": "a"');
    const here = { MODELS_DIR: folder.path };
    const starts: Record<string, string>[] = [
      { HOST: '0.0.0.0' },
      { HOST: '::' },
      { HOST: '0.0.0.0', WORKERS: '2' },
      { HOST: '0.0.0.0', AUTH: 'on', API_KEYS: '' },
      { HOST: '127.0.0.1.example.com' },
      { API_KEYS_FILE: join(temp, 'none.json') },
      { API_KEYS_FILE: temp },
      { API_KEYS_FILE: broken },
      { API_KEYS_FILE: broken, WORKERS: '2' },
      { API_KEYS: '{}' },
      { API_KEYS: '[]', API_KEYS_FILE: broken },
      { API_KEYS: '[]', AUTH: 'off' },
      { METRICS_AUTH: 'key' },
    ];
    for (const environment of starts) {
      const { code, stdout, stderr } = await runServerToItsEnd({ ...here, ...environment });
      const label = JSON.stringify(environment);
      expect([code, stderr.length], `${label} ${stderr}`).toEqual([1, 1]);
      expect(stdout.join('\n'), label).not.toContain('listening');
      expect(stderr[0]).toMatch(/^sardonyx: (HOST|API_KEYS|API_KEYS_FILE|AUTH|METRICS_AUTH): /);
    }
    const warnings: string[] = [];
    for (const environment of [{}, { HOST: '0.0.0.0', AUTH: 'off' }, { HOST: '0.0.0.0', API_KEYS: '[]' }]) {
      await using server = await startServerProcess({ ...here, ...environment });
      await waitForLine(server, '"level":40');
      await fetch(`${server.url}/health`);
      const lines = server.stdout.filter((line) => line.includes('"level":40'));
      expect(lines.length, lines.join('\n')).toBe(1);
      warnings.push(JSON.parse(lines[0] as string).msg);
    }
    expect(warnings).toEqual([
      'every client on this machine may send requests: there are no API keys',
      'every client that reaches this address may send requests: there are no API keys (AUTH=off)',
      'there is no API key yet: requests to routes that need one are refused',
    ]);
    return `starts 0 of ${starts.length}, one line each`;
  },
  120_000,
);
