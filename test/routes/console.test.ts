import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { entry, withKey } from '../helpers/keys.js';
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
