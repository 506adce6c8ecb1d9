import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { entry, withKey } from '../helpers/keys.js';
import { findOnPath } from '../helpers/programs.js';

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const folder = 'deploy/prometheus/rules';
const readRules = (name: string): readonly Rule[] =>
  parse(readFileSync(join(folder, name), 'utf8')).groups.flatMap((it: { rules: Rule[] }) => it.rules);
const recording = readRules('recording.yml');
const alerts = readRules('alerts.yml');
const dashboard = JSON.parse(readFileSync('deploy/grafana/dashboards/sardonyx.json', 'utf8'));
const targets: readonly { panel: string; expr: string }[] = dashboard.panels.flatMap(
  ({ title, targets = [] }: { title: string; targets?: { expr: string }[] }) =>
    targets.map(({ expr }) => ({ panel: title, expr })),
);

/** Metrics that Prometheus itself makes. */
const ofPrometheus = ['up', 'ALERTS'];
/** Metrics of a supervisor: a single process has none, and test/cluster/ reads them. */
const ofCluster = ['workers_running', 'workers_wanted'];
/** Gauges of drift come a minute after a hundred rows: test/monitoring/drift holds their names. */
const ofDrift = ['feature_drift_detected', 'feature_drift_p_value', 'feature_drift_psi'];
/** Metrics of TLS and of Redis that forgets jobs, which this server does not have: other tests read them. */
const ofOtherSettings = ['tls_certificate_expiry_timestamp_seconds', 'jobs_store_lossy'];

/** The names of the series in an expression: what is left without texts, labels, functions and words of PromQL. */
function namesIn(expr: string): readonly string[] {
  const bare = expr
    .replace(/\boffset \w+|\{[^}]*\}|"[^"]*"|\[[^\]]*\]/g, '')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right) *\([^)]*\)/g, '');
  const words = bare.match(/[a-zA-Z_:][\w:]*\b(?! *\()/g) ?? [];
  return words.filter((it) => !/^(?:and|or|unless|by|ignoring|group_left|sum|min|max|count)$/.test(it));
}

const used = [...new Set([...recording, ...alerts, ...targets].flatMap(({ expr }) => namesIn(expr)))].filter(
  (it) => !recording.some(({ record }) => record === it),
);

const key = withKey('client');
const loan = { age: 42, income: 51234.5, credit_score: 688 };

test('each metric of the rules and of the dashboard is in /metrics of a server under traffic', async () => {
  // Nothing listens at these addresses: the metrics of Redis and of traces are given all the same.
  await using away = await buildTestApp({
    REDIS_URL: 'redis://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    CACHE: 'tiered',
    PREDICTION_LOG: join(mkdtempSync(join(tmpdir(), 'sardonyx-log-')), 'predictions.ndjson'),
  });
  await away.post('/predict', loan);
  await using server = await buildTestApp({
    API_KEYS: JSON.stringify([entry('client', { scopes: ['predict', 'metrics'] })]),
    RATE_LIMIT_MAX: '20',
  });
  await causeAll(server);
  const texts = await Promise.all([away, server].map(async (it) => (await it.get('/metrics', key)).text));
  const [, text = ''] = texts;
  // The traffic has reached the counters, and is not only described.
  for (const series of [
    'predictions_total{model="credit-risk",model_version="20261115_143000",status="ok"}',
    'predictions_total{model="credit-risk",model_version="20261115_143000",status="invalid_input"}',
    'batch_rows_total{model="credit-risk",model_version="20261115_143000",result="completed"}',
    'rate_limited_total{by="key"}',
    'auth_failures_total{reason="missing"}',
    'prediction_encode_seconds_count{model="credit-risk",model_version="20261115_143000"}',
    'model_feedback_rows{model="credit-risk",model_version="20261115_143000"}',
  ])
    expect(text).toMatch(new RegExp(`^${series.replace(/[{}|]/g, '\\$&')} [1-9]`, 'm'));
  const given = new Set(texts.join('\n').match(/^[a-zA-Z_:][\w:]*/gm));
  // A counter with labels has no series before the first event, such as a process that ended.
  const described = new Set(
    [...texts.join('\n').matchAll(/^# TYPE (\w+) counter$/gm)].map(([, name]) => name),
  );
  const missing = used.filter((it) => !given.has(it) && !described.has(it) && !ofPrometheus.includes(it));
  expect(missing.sort()).toEqual([...ofCluster, ...ofDrift, ...ofOtherSettings].sort());
  expect(used.length).toBeGreaterThan(30);
});

test('each label that a query names is a label of its metric', async () => {
  await using server = await buildTestApp({
    API_KEYS: JSON.stringify([entry('client', { scopes: ['predict', 'metrics'] })]),
    RATE_LIMIT_MAX: '20',
  });
  await causeAll(server);
  const { text } = await server.get('/metrics', key);
  let checked = 0;
  for (const { expr } of [...recording, ...alerts, ...targets]) {
    for (const [, name = '', selector = ''] of expr.matchAll(/([a-z_]\w*)\{([^}]*)\}/g)) {
      const series = text.match(new RegExp(`^${name}\\{.*`, 'm'))?.[0];
      if (series === undefined) continue;
      // `label=""` asks for series without the label.
      const labels = [...selector.matchAll(/(\w+)(?:=~|!~|!=|=)"(?!")/g)].map(([, label]) => `${label}`);
      // Prometheus adds this label.
      for (const label of labels.filter((it) => it !== 'instance')) {
        expect(series, expr).toMatch(new RegExp(`[{,]${label}="`));
        checked += 1;
      }
    }
  }
  expect(checked).toBeGreaterThan(15);
});

/** A prediction, a refused body, a batch, a job, a request without a key, and requests above the limit. */
async function causeAll(server: TestApp): Promise<void> {
  const { body: predicted } = await server.post('/predict', loan, key);
  await server.post('/feedback', { prediction_id: predicted.prediction_id, actual: 1 }, key);
  const rows = `${JSON.stringify(loan)}\n`.repeat(3);
  const ndjson = { ...key, 'content-type': 'application/x-ndjson' };
  expect((await server.post('/predict', loan, key)).status).toBe(200);
  expect((await server.post('/predict', { age: 1 }, key)).status).toBe(400);
  expect((await server.post('/predict', loan)).status).toBe(401);
  expect((await server.post('/predict/batch', rows, { ...ndjson, prefer: 'wait=5' })).status).toBe(200);
  const { status, body } = await server.post('/predict/batch', rows, ndjson);
  expect(status).toBe(202);
  const job = `batch_rows_total{model="${body.model}",model_version="${body.model_version}",result="completed"}`;
  // The number of jobs is read every two seconds.
  for (const series of [job, 'batch_jobs{state="queued"}'])
    await vi.waitUntil(async () => (await server.get('/metrics', key)).text.includes(series), {
      timeout: 20_000,
    });
  await vi.waitUntil(async () => (await server.post('/predict', loan, key)).status === 429);
}

test('the names of the alerts are headings of docs/monitoring.md, and the links lead there', () => {
  const headings = readFileSync('docs/monitoring.md', 'utf8').match(/^### \w+$/gm) ?? [];
  expect(headings.map((it) => it.slice(4))).toEqual(alerts.map(({ alert }) => alert));
  for (const { alert = '', annotations } of alerts) {
    expect(annotations?.['runbook_url']).toBe(`docs/monitoring.md#${alert.toLowerCase()}`);
    expect(annotations?.['summary'], alert).toMatch(/^\S.*[^.]$/);
    expect(annotations?.['description'], alert).toMatch(/\.$/);
  }
});

test('compose mounts the rules and the dashboard where Prometheus and Grafana read them', () => {
  const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
  expect(services.prometheus.volumes).toContain('./deploy/prometheus/rules:/etc/prometheus/rules:ro');
  expect(parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8')).rule_files).toEqual(['rules/*.yml']);
  expect(services.grafana.volumes).toContain('./deploy/grafana/dashboards:/var/lib/grafana/dashboards:ro');
});

test('no panel of the dashboard overlaps another one, and each has an id of its own', () => {
  const cells = new Set<string>();
  for (const { gridPos, title } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(cells, title).not.toContain(`${x} ${y}`);
        expect(x, title).toBeLessThan(24);
        cells.add(`${x} ${y}`);
      }
    }
  }
  expect(new Set(dashboard.panels.map(({ id }: { id: number }) => id)).size).toBe(dashboard.panels.length);
});

// Debian's package is named prometheus.
const promtool = findOnPath(['promtool']);
const why = promtool === undefined ? ': promtool is not on the PATH' : '';

describe.skipIf(promtool === undefined)(`promtool${why}`, () => {
  const run = (...args: string[]) => spawnSync(`${promtool}`, args, { encoding: 'utf8' });

  test('accepts the rules and the configuration', () => {
    const { status, stdout, stderr } = run('check', 'config', 'deploy/prometheus/prometheus.yml');
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`${alerts.length} rules found`);
    expect(stdout).toContain(`${recording.length} rules found`);
  });

  test('finds that each alert fires when it should, and not on a sound server', () => {
    const { status, stdout, stderr } = run('test', 'rules', 'test/deploy/rules/alerts.test.yml');
    expect(status, stdout + stderr).toBe(0);
    const cases = readFileSync('test/deploy/rules/alerts.test.yml', 'utf8');
    for (const { alert } of alerts) expect(cases).toContain(`${alert}`);
  });

  test('parses each query of the dashboard', () => {
    // As rules, since promtool 2.42 has no check of a single expression.
    const variables = (expr: string) =>
      expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(?:instance|model)/g, '.*');
    const rules = targets.map(({ expr }, k) => ({ record: `panel_${k}`, expr: variables(expr) }));
    const folder = mkdtempSync(join(tmpdir(), 'sardonyx-dashboard-'));
    try {
      const file = join(folder, 'rules.yml');
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
      const { status, stdout, stderr } = run('check', 'rules', '--lint=none', file);
      expect(status, stdout + stderr).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
