import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../src/cli/run-cli.js';
import { listColumns } from '../src/monitoring/drift/drift-column.js';
import { DriftComparisons } from '../src/monitoring/drift/drift-findings.js';
import { readOwn } from '../src/monitoring/drift/drift-source.js';
import { DriftWindow } from '../src/monitoring/drift/drift-window.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { createCases, uniqueNumber } from './cases.js';
import { askEngine } from './jobs.js';
import { loan } from './models.js';
import { putLoad, startBenchServer } from './server-process.js';
import { atLeast, atMost, median, type Table } from './table.js';

const sample = 'models/credit-risk/20261115_143000';
const keys = Array.from({ length: 100 }, (_unused, k) => `bench-${k}-0123456789abcdef0123456789abcdef`);
const logged = 300_000;

/** What it costs to watch: the prediction log, drift, feedback; a drift report; and a replay. Rows never repeat. */
export async function benchMonitoring(table: Table): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-bench-'));
  try {
    await measureRequests(table, folder);
    await measureReport(table);
    await measureReplay(table, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureRequests(table: Table, temporary: string): Promise<void> {
  using folder = createRegistryFolder();
  const [of] = await createCases(folder);
  if (of === undefined) throw new Error('there is no case');
  const {
    sha256: _,
    name: __,
    version: ___,
    ...manifest
  } = JSON.parse(readFileSync(`${sample}/metadata.json`, 'utf8'));
  folder.addVersion('credit-risk', '2', {
    manifest,
    model: readFileSync(`${sample}/model.onnx`),
    files: { 'reference.json': readFileSync(`${sample}/reference.json`) },
  });
  const entries = keys.map((key) => ({
    id: key.slice(0, 8).replace(/-$/, ''),
    sha256: createHash('sha256').update(key).digest('hex'),
    scopes: ['predict'],
    rateLimit: { max: 1_000_000, window: '1 day' },
  }));
  const MODELS_DIR = folder.path;
  const start = (name: string, environment: Record<string, string>) =>
    startBenchServer('./our-server.ts', [], { MODELS_DIR, STATE_DIR: join(temporary, name), ...environment });
  const off = { DRIFT: 'off', FEEDBACK: 'off', CONSOLE: 'off' };
  const log = (name: string) => ({ PREDICTION_LOG: join(temporary, `${name}.ndjson`) });
  const servers = {
    bare: await startBenchServer('./bare-server.ts', [JSON.stringify({ [of.path]: of.schema })]),
    off: await start('off', off),
    log: await start('log', { ...off, ...log('log') }),
    drift: await start('drift', { ...off, DRIFT: 'on' }),
    feedback: await start('feedback', { ...off, FEEDBACK: 'on' }),
    on: await start('on', log('on')),
    everything: await start('everything', { ...log('everything'), API_KEYS: JSON.stringify(entries) }),
  };
  type Kind = keyof typeof servers;
  const kinds = Object.keys(servers) as Kind[];
  const load = {
    path: of.path,
    body: of.uniqueBody,
    unique: uniqueNumber,
    connections: 64,
    seconds: table.seconds,
  };
  const rounds: Record<Kind, number>[] = [];
  for (let k = 0; k <= table.rounds; k += 1) {
    const round = {} as Record<Kind, number>;
    // The order changes: a machine that slows down would count against the server that is always the last.
    for (const kind of k % 2 === 0 ? kinds : kinds.toReversed()) {
      const server = servers[kind];
      const headers = kind === 'everything' ? keys.map((key) => ({ 'x-api-key': key })) : [{}];
      const before = await server.cpuUs();
      const { answered } = await putLoad({ port: server.port, ...load, headers });
      round[kind] = ((await server.cpuUs()) - before) / answered;
    }
    if (k > 0) rounds.push(round);
  }
  const ratio = (kind: Kind, to: Kind) => median(rounds.map((it) => it[kind] / it[to]));
  const name = 'CPU time, prediction log to a file, drift and feedback';
  table.add(`${name} relative to none of them`, ratio('on', 'off'), '×', atMost(1.15));
  for (const kind of ['log', 'drift', 'feedback'] as const)
    table.add(
      `CPU time, only ${kind === 'log' ? 'the prediction log' : kind} relative to none`,
      ratio(kind, 'off'),
      '×',
    );
  table.add(
    'CPU time of a bare route relative to ours with keys, limits, log, drift and feedback',
    ratio('bare', 'everything'),
    '×',
    atLeast(0.75),
  );
  for (const kind of kinds)
    table.add(`CPU time per request, monitoring: ${kind}`, median(rounds.map((it) => it[kind])), 'µs');
  for (const kind of kinds) servers[kind].stop();
}

/** A report of 30 columns over 10,000 rows: all of it, and the longest time that it takes the thread. */
async function measureReport(table: Table): Promise<void> {
  const rows = 10_000;
  const names = Array.from({ length: 30 }, (_unused, k) => `f${k}`);
  const features = names.map((name) => ({ name, type: 'number' as const }));
  const sample = () => Array.from({ length: 2_000 }, () => Math.random());
  const reference = {
    rows,
    features: Object.fromEntries(names.map((name) => [name, { missing: 0, sample: sample() }])),
  };
  const manifest = { name: 'm', version: '1', task: 'regression' as const, features, sha256: {} };
  const { columns } = listColumns(manifest, reference);
  const answer = { value: { prediction: 1 }, fieldsJson: '' };
  const [all, longest]: [number[], number[]] = [[], []];
  for (let round = 0; round <= 2 * table.rounds; round += 1) {
    const window = new DriftWindow(columns, { rows, ms: 86_400_000 });
    for (let row = 0; row < rows; row += 1) {
      const values = Object.fromEntries(names.map((name) => [name, Math.random() * 1.02]));
      window.observe(values, answer, Date.now());
    }
    const comparisons = new DriftComparisons({ rows, threshold: 0.05 });
    const subject = { columns, source: readOwn(window), referenceRows: rows };
    let [isDone, most, last] = [false, 0, performance.now()];
    const watch = () => {
      const now = performance.now();
      most = Math.max(most, now - last);
      last = now;
      if (!isDone) setImmediate(watch);
    };
    watch();
    const started = performance.now();
    const { report } = await comparisons.findingsOf(manifest, subject);
    const ms = performance.now() - started;
    isDone = true;
    if (report?.columns.length !== names.length) throw new Error('the report lacks columns');
    if (round === 0) continue;
    all.push(ms);
    longest.push(most);
  }
  table.add('a drift report of 30 columns over 10,000 rows', median(all), 'ms', atMost(50));
  table.add('the longest time that it takes the thread', median(longest), 'ms', atMost(5));
}

async function measureReplay(table: Table, temporary: string): Promise<void> {
  const row = JSON.parse(loan);
  const lines = Array.from({ length: logged }, (_unused, k) =>
    JSON.stringify({
      time: '2026-11-28T22:00:00.000Z',
      request_id: `r${k}`,
      prediction_id: `p${k}`,
      model: 'credit-risk',
      model_version: '20261115_143000',
      request: { ...row, income: row.income + k / 100 },
      prediction: 1,
      probability: 0.9,
      probabilities: { '0': 0.1, '1': 0.9 },
      latency_ms: 1,
      status: 'ok',
      source: 'online',
    }),
  );
  const path = join(temporary, 'replay.ndjson');
  writeFileSync(path, `${lines.join('\n')}\n`);
  const ratios: number[] = [];
  for (let round = 0; round <= Math.min(3, table.rounds); round += 1) {
    let out = '';
    const argv = ['replay', path, '--model', 'credit-risk', '--candidate', '20261101_090000', '--json'];
    const code = await runCli([...argv, '--max-disagreement', '1'], {
      stdout: { write: (text: string | Uint8Array) => (out += String(text)) },
      stderr: { write: () => true },
      env: {},
    });
    if (code !== 0) throw new Error('the replay has failed');
    const { rows_per_second: speed } = JSON.parse(out);
    const best = await askEngine(table.seconds);
    if (round > 0) ratios.push(speed / best);
  }
  table.add('rows per second of a replay relative to the engine alone', median(ratios), '×', atLeast(0.5));
}
