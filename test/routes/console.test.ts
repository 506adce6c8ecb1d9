import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { entry, withKey } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { shareTestApp } from '../helpers/shared-app.js';

const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const loan = { age: 42, income: 51234.5, credit_score: 688 };
const server = shareTestApp();

describe('the console', () => {
  test('is a page whose links are relative, and whose policy allows no inline code', async () => {
    const { status, text, headers } = await server.get('/', browser);
    expect([status, headers['content-type'], headers['vary']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'accept',
    ]);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(text).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]* src=)/);
    const links = [...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link as string);
    expect(links).toContain('docs');
    for (const link of links) {
      expect(link).not.toMatch(/^\/|:/);
      expect((await server.get(`/${link}`)).status, link).toBe(200);
    }
    expect((await server.get('/', { ...browser, 'if-none-match': String(headers['etag']) })).status).toBe(
      304,
    );
  });

  test('leaves out the link to the metrics if it needs a key, which a link cannot send', async () => {
    const link = async (environment: Record<string, string>) => {
      await using own = await buildTestApp(environment);
      return (await own.get('/', browser)).text.includes('href="metrics"');
    };
    const API_KEYS = JSON.stringify([entry('person', { scopes: ['read'] })]);
    expect(await link({})).toBe(true);
    expect(await link({ API_KEYS })).toBe(true);
    expect(await link({ API_KEYS, METRICS_AUTH: 'key' })).toBe(false);
  });

  test('has only the files of its folder, which import each other and put no text into HTML', async () => {
    const files = readdirSync('console');
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const reply = await server.get(`/console/${file}`);
      expect([reply.status, reply.text], file).toEqual([200, readFileSync(`console/${file}`, 'utf8')]);
      expect(reply.headers['x-content-type-options']).toBe('nosniff');
      for (const [, other] of reply.text.matchAll(/from '\.\/([^']+)'/g)) expect(files).toContain(other);
      expect(reply.text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/);
    }
    for (const path of ['none.js', '..%2fpackage.json', '%2e%2e%2fpackage.json', 'console.js%00'])
      expect((await server.get(`/console/${path}`)).status, path).toBe(404);
  });

  test('is hidden by CONSOLE=off, and the root leads to the manual', async () => {
    await using off = await buildTestApp({ CONSOLE: 'off' });
    const root = await off.get('/', browser);
    expect([root.status, root.headers['location']]).toEqual([302, 'docs']);
    for (const path of ['/console/data', '/console/console.js'])
      expect((await off.get(path)).status, path).toBe(404);
  });
});

describe('GET /console/data', () => {
  test('names the model that the page shows first, if the key may see it', async () => {
    expect((await server.get('/console/data')).body.default_model).toBe('credit-risk');
    const keys = [entry('all', { scopes: ['read'] }), entry('some', { scopes: ['read'], models: ['churn'] })];
    await using own = await buildTestApp({ API_KEYS: JSON.stringify(keys) });
    const [all, some] = await Promise.all(['all', 'some'].map((id) => own.get('/console/data', withKey(id))));
    expect(all?.body.default_model).toBe('credit-risk');
    expect(some?.body).not.toHaveProperty('default_model');
  });

  test('says whether the key may predict', async () => {
    expect((await server.get('/console/data')).body.may_predict).toBe(true);
    const keys = [entry('reader', { scopes: ['read'] }), entry('both', { scopes: ['read', 'predict'] })];
    await using own = await buildTestApp({ API_KEYS: JSON.stringify(keys) });
    const [reader, both] = await Promise.all(
      ['reader', 'both'].map((id) => own.get('/console/data', withKey(id))),
    );
    expect([reader?.body.may_predict, both?.body.may_predict]).toEqual([false, true]);
  });

  test('has the problems of a server that /health calls degraded', async () => {
    const state = async (own: Pick<TestApp, 'get'>) => [
      (await own.get('/health')).body.status,
      (await own.get('/console/data')).body.problems,
    ];
    expect(await state(server)).toEqual(['ok', []]);
    await using own = await buildTestApp({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(await state(own)).toEqual(['degraded', ['Redis is down']]);
    using folder = createRegistryFolder();
    folder.addVersion('broken', '1', {
      manifest: { task: 'regression', features: [{ name: 'x', type: 'number' }] },
      model: Buffer.from('none'),
    });
    await using broken = await buildTestApp({ MODELS_DIR: folder.path });
    const [status, [first]] = (await state(broken)) as [string, string[]];
    expect([status, first]).toEqual(['degraded', 'no model can answer']);
    // A key that may not use the broken model learns no more than that there is one, as from /health.
    folder.addVersion('sound', '1', {
      manifest: { task: 'regression', features: [{ name: 'x', type: 'number' }] },
      model: linearRegression([1]),
    });
    await using half = await buildTestApp({
      MODELS_DIR: folder.path,
      REQUIRED_MODELS: 'sound',
      API_KEYS: JSON.stringify([entry('one', { scopes: ['read'], models: ['sound'] })]),
    });
    expect((await half.get('/health')).body.status).toBe('degraded');
    expect((await half.get('/console/data', withKey('one'))).body.problems).toEqual([
      '1 model that this key cannot use does not answer',
    ]);
  });

  test('names a version whose rows drift, and one whose live quality is below its training figure', async () => {
    await using own = await buildTestApp({
      API_KEYS: JSON.stringify([
        entry('all', { scopes: ['read', 'predict'] }),
        entry('one', { scopes: ['read'], models: ['churn'] }),
      ]),
    });
    const all = withKey('all');
    const ids: string[] = [];
    for (let k = 0; k < 120; k += 1) {
      const row = { age: 99, income: 1_000 + k, credit_score: 301 };
      ids.push((await own.post('/predict', row, all)).body.prediction_id);
    }
    for (const prediction_id of ids.slice(0, 60))
      await own.post('/feedback', { prediction_id, actual: 1 }, all);
    // The server compares all versions each minute, and a version when a client requests its drift.
    const drift = (await own.get('/models/credit-risk/drift', all)).body;
    const columns = Object.values<{ drift: boolean }>({ ...drift.features, ...drift.outputs });
    const { findings } = (await own.get('/console/data', all)).body;
    expect(findings).toEqual([
      {
        model: 'credit-risk',
        version: '20261115_143000',
        drifted: ['age', 'income'],
        drifted_count: columns.filter((it) => it.drift).length,
        decline: { figure: 'accuracy', live: 0, trained: 0.8718, feedback: 60 },
      },
    ]);
    expect((await own.get('/console/data', withKey('one'))).body.findings).toEqual([]);
  });

  test('has the models and the traffic of the last minutes', async () => {
    await using own = await buildTestApp();
    for (let k = 0; k < 20; k += 1) await own.post('/predict', k < 5 ? { age: 1 } : loan);
    // A step is shown after its end.
    let traffic: { requests: number; refused: number; p50_ms: number | null; p99_ms: number | null }[] = [];
    const sum = (name: 'requests' | 'refused') => traffic.reduce((total, it) => total + it[name], 0);
    for (let k = 0; k < 200 && sum('requests') < 20; k += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      ({ traffic } = (await own.get('/console/data')).body);
    }
    expect([sum('requests'), sum('refused')]).toEqual([20, 5]);
    const [point] = traffic.filter(({ requests }) => requests > 0);
    expect(point?.p50_ms).toBeGreaterThan(0);
    expect(point?.p99_ms).toBeGreaterThanOrEqual(point?.p50_ms ?? Number.NaN);
    const { body } = await own.get('/console/data');
    expect(body.models).toEqual((await own.get('/models')).body.models);
  });

  test('needs the scope read, and shows a key only its models', async () => {
    await using guarded = await buildTestApp({
      API_KEYS: JSON.stringify([
        entry('caller'),
        entry('reader', { scopes: ['read'] }),
        entry('one', { scopes: ['read'], models: ['churn'] }),
      ]),
    });
    expect((await guarded.get('/', browser)).status).toBe(200);
    expect((await guarded.get('/console/data')).status).toBe(401);
    expect((await guarded.get('/console/data', withKey('caller'))).status).toBe(403);
    expect((await guarded.get('/console/data', withKey('reader'))).body.models).toHaveLength(5);
    const { models } = (await guarded.get('/console/data', withKey('one'))).body;
    expect(models.map(({ name }: { name: string }) => name)).toEqual(['churn']);
  });
});
