import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { buildTestApp } from '../../helpers/app.js';

const [older, newer] = ['20261101_090000', '20261115_143000'];
const model = 'credit-risk';
let folder: string;
let log: string;
let lines: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-replay-'));
  log = join(folder, 'predictions.ndjson');
  await using server = await buildTestApp({ PREDICTION_LOG: log });
  for (let k = 0; k < 60; k += 1) {
    // Around the border between both classes, where the two versions differ.
    const row = {
      age: 20 + ((k * 7) % 60),
      income: 12_000 + ((k * 7_919) % 50_000),
      credit_score: 500 + ((k * 53) % 150),
    };
    await server.post(`/models/${model}/versions/${older}/predict`, row);
  }
  await server.post(`/models/${model}/predict`, { age: 1 });
  await server[Symbol.asyncDispose]();
  lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli(['replay', ...argv], {
    stdout: { write: (text: string | Uint8Array) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
  });
  return { code, out, err };
}

const judge = (file: string, ...argv: string[]) => run(file, '--model', model, '--candidate', newer, ...argv);

/** A log file with these lines. */
function save(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const change = (line: string, members: object) => JSON.stringify({ ...JSON.parse(line), ...members });

describe('sardonyx replay', () => {
  test('finds that a version agrees with itself, in decisions and to the last digit', async () => {
    const { code, out } = await run(log, '--model', model, '--candidate', older, '--json');
    expect(JSON.parse(out)).toMatchObject({
      candidate: older,
      rows: 60,
      changed: 0,
      agreement: 1,
      passed: true,
      skipped: { failed: 1 },
      difference: { count: 60, max: 0 },
      examples: [],
    });
    expect(code).toBe(0);
  });

  test('reports each changed decision of another version, as that version answers', async () => {
    const { code, out } = await judge(log, '--json');
    const report = JSON.parse(out);
    // The same rows, sent to the candidate.
    await using server = await buildTestApp();
    const answers = await Promise.all(
      lines.slice(0, 60).map(async (line) => {
        const { request, prediction, probabilities } = JSON.parse(line);
        const { body } = await server.post(`/models/${model}/versions/${newer}/predict`, request);
        return {
          isChanged: body.prediction !== prediction,
          delta: Math.abs(body.probabilities[prediction] - probabilities[prediction]),
        };
      }),
    );
    const changed = answers.filter((it) => it.isChanged).length;
    expect(changed).toBeGreaterThan(0);
    expect(report).toMatchObject({ rows: 60, changed, failed: 0, passed: false });
    expect(report.difference.max).toBeCloseTo(Math.max(...answers.map((it) => it.delta)), 12);
    expect(report.difference.mean).toBeCloseTo(answers.reduce((sum, it) => sum + it.delta, 0) / 60, 12);
    const pairs = report.confusion as { old: unknown; new: unknown; rows: number }[];
    expect(pairs.reduce((sum, it) => sum + it.rows, 0)).toBe(60);
    expect(pairs.filter((it) => it.old !== it.new).reduce((sum, it) => sum + it.rows, 0)).toBe(changed);
    expect(report.examples).toHaveLength(Math.min(10, changed));
    expect(report.latency_ms.candidate.count).toBeGreaterThan(0);
    expect(code).toBe(1);
    const lenient = await judge(log, '--max-disagreement', '1');
    expect(lenient.code).toBe(0);
    expect(lenient.out).toContain('changed decisions:');
    expect(lenient.out).toContain(report.examples[0].prediction_id);
  });

  test('reads several files and gzip, and skips lines that are broken, cut, or of something else', async () => {
    const good = lines.slice(0, 10).join('\n');
    const packed = save('log.gz', gzipSync(`${good}\n{"level":30,"msg":"stopped"}\n`));
    const cut = save('cut.ndjson', `${good}\nno json\n\n${(lines[0] as string).slice(0, 50)}`);
    const { out } = await run(packed, cut, '--model', model, '--candidate', older, '--json');
    expect(JSON.parse(out)).toMatchObject({ rows: 20, skipped: { other: 1, broken: 1, cut: 1 } });
  });

  test('leaves out what --baseline, --since, --until and --limit say', async () => {
    const some = lines.slice(0, 4).map((line, k) =>
      change(line, {
        time: `2026-11-28T22:00:0${k}.000Z`,
        ...(k === 0 && { model_version: '7' }),
      }),
    );
    const path = save('times.ndjson', some.join('\n'));
    const report = async (...argv: string[]) => JSON.parse((await judge(path, '--json', ...argv)).out);
    expect(await report('--baseline', older)).toMatchObject({ rows: 3, skipped: { version: 1 } });
    const span = ['--since', '2026-11-28T22:00:01Z', '--until', '2026-11-28T23:00:03+01:00'];
    expect(await report(...span)).toMatchObject({ rows: 2, skipped: { time: 2 } });
    expect(await report('--limit', '3')).toMatchObject({ rows: 3 });
    expect(await report('--since', '2026-11-28', '--until', '2026-11-29')).toMatchObject({ rows: 4 });
  });

  test('reads named pipes one after the other, and a file after them', async () => {
    const path = save('part.ndjson', `${lines.slice(0, 10).join('\n')}\n`);
    const pipes = ['one.pipe', 'two.pipe'].map((name) => join(folder, name));
    const writers = pipes.map((pipe) => {
      execFileSync('mkfifo', [pipe]);
      return spawn('sh', ['-c', 'cat "$0" > "$1"', path, pipe]);
    });
    const { out, err } = await run(...pipes, path, '--model', model, '--candidate', newer, '--json');
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({ rows: 30 });
    for (const writer of writers) expect(writer.exitCode ?? (await once(writer, 'exit'))[0]).toBe(0);
  });

  test('counts lines that are hostile as broken, and shows nothing raw on a terminal', async () => {
    const [line = ''] = lines;
    const path = save(
      'hostile.ndjson',
      [
        change(line, { prediction_id: '\u001b]0;title\u0007\n\u001b[31m', prediction: 7 }),
        line.replace(/"age":\d+/, `"age":${'['.repeat(20_000)}${']'.repeat(20_000)}`),
        '\0'.repeat(5_000_000),
        line.replace(/"latency_ms":[\d.]+/, '"latency_ms":1e400'),
        line,
      ].join('\n'),
    );
    const { out, err } = await judge(path);
    expect(err).toBe('');
    expect(out).toContain('\\u001b]0;title\\u0007\\u000a');
    expect(out).not.toContain('\u001b');
    expect(JSON.parse((await judge(path, '--json')).out)).toMatchObject({
      rows: 2,
      skipped: { broken: 2, other: 1 },
    });
  });

  test('reads standard input, and writes the report to a file beside the table', async () => {
    const report = join(folder, 'report.json');
    const argv = ['-', '--model', model, '--candidate', newer, '--out', report];
    let out = '';
    const code = await runCli(['replay', ...argv], {
      stdin: Readable.from(lines.slice(0, 20).map((it) => `${it}\n`)),
      stdout: { write: (text: string | Uint8Array) => (out += text) },
      stderr: { write: () => true },
      env: {},
    });
    expect(out).toContain('agree');
    const written = JSON.parse(readFileSync(report, 'utf8'));
    expect([written.rows, code]).toEqual([20, written.passed ? 0 : 1]);
  });

  test('counts a row that the candidate does not answer as changed, with the reason', async () => {
    const line = change(lines[0] as string, { request: { age: 42, income: 1, credit_scor: 600 } });
    const { code, out } = await judge(save('refused.ndjson', `${line}\n`), '--json');
    expect(JSON.parse(out)).toMatchObject({ rows: 1, changed: 1, failed: 1 });
    expect(JSON.parse(out).examples[0].error).toContain('credit_scor');
    expect(code).toBe(1);
  });

  test('says why nothing can be replayed', async () => {
    const redacted = lines
      .slice(0, 3)
      .map((line) => change(line, { request: { age: 1 }, redacted: ['income'] }));
    const { code, err } = await judge(save('redacted.ndjson', redacted.join('\n')));
    expect(code).toBe(1);
    expect(err).toContain('no row of credit-risk can be replayed: the log has 3 requests with features');
    expect(err).toContain('(income)');
    const others = await run(log, '--model', 'breast-cancer', '--candidate', '1.0.0');
    expect(others.err).toContain('predictions of other models (credit-risk');
    expect((await judge(save('empty.ndjson', ''))).err).toContain('the log is empty');
  });

  test.each([
    ['no log', () => judge(save('server.log', '{"level":30,"msg":"x"}\n')), 1, 'is no prediction log'],
    ['a missing file', () => judge('/no/such/log'), 1, '/no/such/log is not there'],
    ['a folder', () => judge(folder), 1, 'is a folder'],
    [
      'a cut gzip',
      () => judge(save('c.gz', gzipSync(lines.join('\n')).subarray(0, 200))),
      1,
      'not valid gzip',
    ],
    ['a missing version', () => run(log, '--model', model, '--candidate', '9'), 1, 'version'],
    ['a missing model', () => run(log, '--model', 'credit-rsk', '--candidate', '9'), 1, 'model'],
    ['a model of tensors', () => run(log, '--model', 'digits', '--candidate', '1'), 1, 'takes tensors'],
    ['no candidate', () => run(log, '--model', model), 2, '--candidate is missing'],
    ['no log at all', () => run('--model', model, '--candidate', '1'), 2, 'the log is missing'],
    ['a share above 1', () => judge(log, '--max-disagreement', '5'), 2, 'takes a number from 0 to 1'],
    ['a limit of 0', () => judge(log, '--limit', '0'), 2, 'takes a whole number from 1'],
    ['a time of no form', () => judge(log, '--since', 'yesterday'), 2, 'RFC 3339'],
    [
      'an end before its start',
      () => judge(log, '--since', '2026-11-28', '--until', '2026-11-27'),
      2,
      'later',
    ],
  ])('explains %s', async (_name, act, code, message) => {
    const result = await act();
    expect(result.err).toContain(message);
    expect(result.err).toMatch(/^sardonyx: /);
    expect(result.code).toBe(code);
  });
});

test('a replay of a regression compares numbers within the tolerance', async () => {
  const path = join(folder, 'regression.ndjson');
  const line = {
    time: '2026-11-28T22:00:00.000Z',
    prediction_id: 'p',
    model: 'diabetes',
    model_version: '0',
    status: 'ok',
    latency_ms: 1,
  };
  await using server = await buildTestApp();
  const { features } = JSON.parse(readFileSync('models/diabetes/1/metadata.json', 'utf8'));
  const request = Object.fromEntries(
    (features as { name: string; example: unknown }[]).map(({ name, example }) => [name, example]),
  );
  const { body } = await server.post('/models/diabetes/predict', request);
  const olds = [body.prediction, body.prediction + 1, body.prediction - 3];
  writeFileSync(path, olds.map((prediction) => JSON.stringify({ ...line, request, prediction })).join('\n'));
  const report = async (...argv: string[]) =>
    JSON.parse((await run(path, '--model', 'diabetes', '--candidate', '1', '--json', ...argv)).out);
  const strict = await report();
  expect(strict).toMatchObject({ rows: 3, changed: 2 });
  expect(strict.difference).toMatchObject({ count: 3 });
  expect(strict.difference.mean).toBeCloseTo(4 / 3, 6);
  expect(strict.difference.max).toBeCloseTo(3, 6);
  expect(await report('--tolerance', '0.5')).toMatchObject({ changed: 0, passed: true });
});
