import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const folder = createRegistryFolder();
const features = [
  { name: 'x', type: 'number' as const, nullable: true },
  { name: 'region', type: 'string' as const, enum: ['north', 'south', 'east'] },
];
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features },
  model: linearRegression([2, 0]),
});
afterAll(() => folder[Symbol.dispose]());
const at = (name: string) => join(folder.path, name);

async function run(...argv: readonly string[]) {
  let [out, err] = ['', ''];
  const code = await runCli(argv, {
    stdout: { write: (text: string | Uint8Array) => (out += String(text)) },
    stderr: { write: (text: string) => (err += text) },
    env: { MODELS_DIR: folder.path },
  });
  return { code, out, err };
}
const lineOf = (k: number, x: unknown, region: unknown, more: object = {}) =>
  `${JSON.stringify({
    time: '2026-11-28T22:00:00.000Z',
    prediction_id: `p${k}`,
    model: 'double',
    model_version: '1',
    status: 'ok',
    latency_ms: 1,
    request: { x, region },
    prediction: typeof x === 'number' ? 2 * x : 0,
    ...more,
  })}\n`;
const logOf = (count: number, x: (k: number) => unknown, region = (k: number) => ['north', 'south'][k % 2]) =>
  Array.from({ length: count }, (_unused, k) => lineOf(k, x(k), region(k))).join('');

test('profile describes training data, and drift compares a log with it', async () => {
  const rows = Array.from({ length: 3_000 }, (_unused, k) => {
    const x = k % 50 === 0 ? '' : k % 100;
    return `${x},${k % 3 === 0 ? 'south' : 'north'},${k}`;
  });
  await writeFile(at('train.csv'), `x,region,label\n${rows.join('\n')}\n1,nowhere,0\n`);
  const made = await run('profile', at('train.csv'), '--model', 'double', '--out', at('reference.json'));
  // A missing number is NaN to this model, which cannot answer it.
  expect(made.err).toContain('61 of 3001 rows are left out: row 0:');
  expect(made.code).toBe(0);
  const reference = JSON.parse(await readFile(at('reference.json'), 'utf8'));
  expect(reference).toMatchObject({
    rows: 2_940,
    features: { x: { missing: 0 }, region: { missing: 0, counts: { north: 1_960, south: 980 } } },
    output: { prediction: { missing: 0 } },
  });
  expect(reference.features.x.sample).toHaveLength(2_000);
  // The same rows give the same reference.
  const again = await run('profile', at('train.csv'), '--model', 'double@1');
  expect(JSON.parse(again.out)).toEqual(reference);

  const calm = logOf(
    600,
    (k) => (k * 37) % 100,
    (k) => (k % 3 === 0 ? 'south' : 'north'),
  );
  await writeFile(
    at('calm.ndjson'),
    `${calm}${lineOf(1, 1, 'north', { status: 'invalid_input' })}{"time":"cut`,
  );
  const without = await run('drift', at('calm.ndjson'), '--reference', at('reference.json'));
  expect(without.err).toBe(
    'sardonyx: 1 left out: predictions that failed\nsardonyx: 1 left out: cut last lines\n',
  );
  expect(without.out).toMatch(/no drift: 600 rows\n$/);
  expect(without.code).toBe(0);

  await writeFile(
    at('late.ndjson.gz'),
    gzipSync(
      logOf(
        600,
        (k) => 50 + ((k * 37) % 100),
        () => 'east',
      ),
    ),
  );
  const logs = [at('calm.ndjson'), at('late.ndjson.gz')];
  const withDrift = await run(
    'drift',
    ...logs,
    '--reference',
    at('reference.json'),
    '--model',
    'double@1',
    '--json',
  );
  expect(withDrift.code).toBe(1);
  expect(JSON.parse(withDrift.out)).toMatchObject({
    drift: true,
    rows: 1_200,
    features: { x: { drift: true }, region: { drift: true, unseen: 0.5 } },
    outputs: { prediction: { drift: true } },
  });
});

test('a log of several models needs the name of one, which need not be on this machine', async () => {
  await writeFile(
    at('even.json'),
    JSON.stringify({ rows: 200, features: { x: { missing: 0, sample: [...Array(200).keys()] } } }),
  );
  const own = (k: number, more: object) => lineOf(k, (k * 37) % 200, 'north', more);
  const mixed = Array.from({ length: 400 }, (_unused, k) =>
    k % 2 === 0
      ? own(k / 2, { model: 'elsewhere', time: `2026-11-2${k < 200 ? 7 : 8}T10:00:00Z` })
      : own(k, { model: 'another', request: { y: 1 } }),
  ).join('');
  await writeFile(at('mixed.ndjson'), mixed);
  const base = ['drift', at('mixed.ndjson'), '--reference', at('even.json')];
  const refused = await run(...base);
  expect(refused.err).toContain('predictions of several models, such as elsewhere and another: name one');
  expect(refused.code).toBe(1);
  const named = await run(...base, '--model', 'elsewhere', '--out', at('report.json'));
  expect(named.err).toBe('sardonyx: 200 left out: predictions of other models\n');
  expect(named.out).toMatch(/no drift: 200 rows\n$/);
  expect(JSON.parse(await readFile(at('report.json'), 'utf8'))).toMatchObject({ drift: false, rows: 200 });
  const late = await run(...base, '--model', 'elsewhere', '--since', '2026-11-28');
  expect(late.err).toContain('100 left out: predictions outside --since and --until');
  expect(late.out).toContain('100 rows');
});

test('the outputs of a regression with several values are compared', async () => {
  const numbers = { missing: 0, sample: [...Array(200).keys()] };
  await writeFile(
    at('several.json'),
    JSON.stringify({
      rows: 200,
      features: { x: numbers },
      output: { high: numbers, low: numbers, probability: numbers },
    }),
  );
  const log = Array.from({ length: 200 }, (_unused, k) => {
    const x = (k * 37) % 200;
    return lineOf(k, x, 'north', { prediction: { high: 1_000 + x, low: x, probability: x } });
  }).join('');
  await writeFile(at('several.ndjson'), log);
  const { code, out } = await run('drift', at('several.ndjson'), '--reference', at('several.json'), '--json');
  const { outputs } = JSON.parse(out);
  expect(Object.keys(outputs).sort()).toEqual(['high', 'low', 'probability']);
  expect(outputs).toMatchObject({
    high: { drift: true, because: ['values'] },
    low: { drift: false },
    probability: { drift: false },
  });
  expect(code).toBe(1);
});

test('rows of the console and of jobs are left out, as the server does', async () => {
  await writeFile(
    at('even.json'),
    JSON.stringify({ rows: 200, features: { x: { missing: 0, sample: [...Array(200).keys()] } } }),
  );
  const part = (source: unknown, count: number, x: (k: number) => number) =>
    Array.from({ length: count }, (_unused, k) => lineOf(k, x(k), 'north', { source })).join('');
  const calm = (k: number) => (k * 37) % 200;
  await writeFile(
    at('sources.ndjson'),
    part('online', 200, calm) +
      part('batch', 200, calm) +
      part(undefined, 200, calm) +
      part('console', 300, () => 5_000) +
      part('job', 400, () => 6_000),
  );
  const { code, out, err } = await run('drift', at('sources.ndjson'), '--reference', at('even.json'));
  expect(err).toBe(
    'sardonyx: 300 left out: rows of the console\nsardonyx: 400 left out: rows of jobs, which may be of any time\n',
  );
  expect(out).toMatch(/no drift: 600 rows\n$/);
  expect(code).toBe(0);
});

test('a feature that the log hides is not compared', async () => {
  const text = { missing: 0, counts: { north: 500, south: 500 } };
  await writeFile(
    at('both.json'),
    JSON.stringify({
      rows: 1_000,
      features: { x: { missing: 0, sample: [...Array(200).keys()] }, region: text },
    }),
  );
  const log = Array.from({ length: 200 }, (_unused, k) =>
    lineOf(k, (k * 37) % 200, 'hmac-sha256:00', { redacted: ['region'] }),
  ).join('');
  await writeFile(at('hidden.ndjson'), log);
  const { code, out, err } = await run('drift', at('hidden.ndjson'), '--reference', at('both.json'));
  expect(err).toBe('sardonyx: the log omits, hashes or masks features, which are not compared: region\n');
  expect(out).toMatch(/no drift: 200 rows\n$/);
  expect(out).not.toContain('region');
  expect(code).toBe(0);
});

test('a version with a reference needs no file', async () => {
  await writeFile(
    at('train.ndjson'),
    Array.from({ length: 200 }, (_unused, k) => `{"x":${k},"region":"north"}\n`).join(''),
  );
  await run('profile', at('train.ndjson'), '--model', 'double@1', '--out', at('r.json'));
  folder.addVersion('double', '2', {
    manifest: { task: 'regression', features },
    model: linearRegression([2, 0]),
    files: { 'reference.json': await readFile(at('r.json'), 'utf8') },
  });
  await writeFile(
    at('two.ndjson'),
    Array.from({ length: 200 }, (_unused, k) => lineOf(k, 1_000 + k, 'north', { model_version: '2' })).join(
      '',
    ),
  );
  const { code, out } = await run('drift', at('two.ndjson'), '--model', 'double@2');
  expect(out).toContain('drift in 2 of 3 columns: 200 rows');
  expect(code).toBe(1);
  const other = await run('drift', at('two.ndjson'), '--model', 'double@1');
  expect(other.err).toContain('has no reference.json');
});

test('values that no client could send count as missing, and prototypes stay as they are', async () => {
  await writeFile(
    at('odd.json'),
    JSON.stringify({
      rows: 100,
      features: { x: { missing: 0, sample: [1, 2, 3] }, constructor: { missing: 0, counts: { a: 3 } } },
    }),
  );
  const odd = Array.from({ length: 150 }, (_unused, k) =>
    lineOf(k, k % 2 === 0 ? { toString: 1 } : [k], '__proto__'),
  ).join('');
  await writeFile(at('odd.ndjson'), odd);
  const { code, err, out } = await run('drift', at('odd.ndjson'), '--reference', at('odd.json'), '--json');
  expect(err).toBe('');
  // Each is missing, which none was in training.
  expect(JSON.parse(out)).toMatchObject({ drift: true, features: { x: { test: 'missing_rate' } } });
  expect(code).toBe(1);
});

test.each([
  [['drift'], 2, 'the log is missing'],
  [['drift', 'x'], 2, '--reference or --model is missing'],
  [['drift', 'x', '--reference', 'y', '--threshold', '2'], 2, '--threshold must be a number from 0 to 1'],
  [['drift', 'x', '--reference', 'y', '--threshold', '0x1'], 2, '--threshold must be a number from 0 to 1'],
  [['drift', 'x', '--reference', tmpdir()], 1, 'is no regular file'],
  [['drift', 'x', '--reference', join(tmpdir(), 'no-such-reference')], 1, 'is not there'],
  [['drift', 'no-such-log', '--model', 'double@1'], 1, 'has no reference.json'],
  [['profile'], 2, 'the file is missing'],
  [['profile', 'x.csv', '--model', 'double', '--out', 'x.csv'], 2, '--out is the file of the training data'],
  [['profile', 'x.csv'], 2, '--model is missing: name one of double'],
  [['profile', 'x.txt', '--model', 'double'], 2, 'the format of x.txt is unknown'],
  [['profile', 'no-such.csv', '--model', 'double'], 1, 'no-such.csv'],
] as const)('%s is refused with exit code %s: %s', async (argv, code, text) => {
  const result = await run(...argv);
  expect(result.err).toContain(text);
  expect(result.code).toBe(code);
});

test('too few rows, another file and an empty table are refused', async () => {
  await writeFile(
    at('few.ndjson'),
    logOf(50, (k) => k),
  );
  await writeFile(
    at('small.json'),
    JSON.stringify({ rows: 3, features: { x: { missing: 0, sample: [1, 2, 3] } } }),
  );
  const few = await run('drift', at('few.ndjson'), '--reference', at('small.json'));
  expect(few.err).toContain('the log has 50 rows to compare, and at least 100 are needed');
  const foreign = await run('drift', at('small.json'), '--reference', at('small.json'));
  expect(foreign.err).toContain('is no prediction log');
  await writeFile(at('empty.csv'), 'x,region\n');
  const empty = await run('profile', at('empty.csv'), '--model', 'double@1');
  expect([empty.code, empty.err]).toEqual([1, 'sardonyx: no row could be used\n']);
});
