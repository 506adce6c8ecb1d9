import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseLines, runBatchCommand } from '../../helpers/batch-cli.js';
import { echo, linearRegression } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const registry = createRegistryFolder();
let folder: string;
beforeAll(() => {
  const features = [
    { name: 'x', type: 'number' as const, maximum: 1_000_000, example: 1 },
    { name: 'n', type: 'integer' as const, default: 0, example: 1 },
  ];
  const parts = { manifest: { task: 'regression' as const, features }, model: linearRegression([2, 1]) };
  registry.addVersion('line', '1', parts);
  registry.addVersion('image', '1', { manifest: { task: 'tensor' }, model: echo('float32', ['N', 2]) });
});
afterAll(() => registry[Symbol.dispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-batch-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const run = (argv: readonly string[], stdin?: string | Buffer) => runBatchCommand(registry.path, argv, stdin);
/** Runs a batch of `line` over a file of this content. */
async function predict(name: string, content: string | Buffer, ...argv: string[]) {
  await writeFile(at(name), content);
  return run([at(name), '--model', 'line', ...argv]);
}
async function readParquet(name: string) {
  return parquetReadObjects({ file: await asyncBufferFromFile(at(name)) });
}

describe('the answers', () => {
  test('are lines of JSON on standard output, one for each row', async () => {
    const { code, out, err } = await predict('in.jsonl', '{"x":1}\n\n{"x":2,"n":3}');
    expect(String(out)).toBe('{"index":0,"prediction":2}\n{"index":1,"prediction":7}\n');
    expect(code).toBe(0);
    expect(err).toMatch(/^sardonyx: 2 rows in [\d.]+ s \([\d,]+ rows\/s\)\n$/);
  });

  test('equal those of sardonyx predict and its probabilities, for a model with classes', async () => {
    const csv = 'age,income,credit_score\n42,51234.5,688\n23,18000,590\n';
    await writeFile(at('in.csv'), csv);
    const options = ['--model', 'credit-risk', '--quiet'];
    const lines = await runBatchCommand('models', [at('in.csv'), ...options]);
    const [first, second] = parseLines(lines.out);
    expect(first).toEqual({
      index: 0,
      prediction: 1,
      probability: 0.9553415,
      probabilities: { 0: 0.044658482, 1: 0.9553415 },
    });
    const table = await runBatchCommand('models', [at('in.csv'), ...options, '--to', 'csv']);
    const [head, row] = String(table.out).split('\n');
    expect(head).toBe('index,prediction,probability,probability_0,probability_1,error');
    expect(row).toBe('0,1,0.9553415,0.044658482,0.9553415,');
    await runBatchCommand('models', [at('in.csv'), ...options, '--out', at('out.parquet')]);
    expect((await readParquet('out.parquet'))[1]).toEqual({
      index: 1n,
      prediction: BigInt(second.prediction),
      probability: second.probability,
      probability_0: second.probabilities[0],
      probability_1: second.probabilities[1],
      error: null,
    });
  });

  test.each(['in.ndjson', 'in.csv', 'in.ndjson.gz', 'in.csv.gz', 'in.parquet'])(
    'are the same in every format, from %s',
    async (input) => {
      const x = Array.from({ length: 1_000 }, (_unused, k) => k / 4);
      const csv = `x\n${x.join('\n')}\n`;
      const lines = x.map((value) => `{"x":${value}}\n`).join('');
      if (input === 'in.parquet') {
        parquetWriteFile({ filename: at(input), columnData: [{ name: 'x', data: x }], rowGroupSize: 300 });
      } else {
        const text = input.includes('csv') ? csv : lines;
        await writeFile(at(input), input.endsWith('gz') ? gzipSync(text) : text);
      }
      const expected = x.map((value) => 2 * value);
      for (const output of ['out.ndjson', 'out.ndjson.gz', 'out.csv', 'out.csv.gz', 'out.parquet']) {
        const { code } = await run([at(input), '--model', 'line@1', '--out', at(output)]);
        expect(code).toBe(0);
        if (output === 'out.parquet') {
          expect((await readParquet(output)).map((row) => row['prediction'])).toEqual(expected);
          continue;
        }
        const bytes = await readFile(at(output));
        const text = String(output.endsWith('gz') ? gunzipSync(bytes) : bytes);
        const found = output.includes('csv')
          ? text
              .split('\n')
              .slice(1, -1)
              .map((line) => Number(line.split(',')[1]))
          : parseLines(text).map((it) => it.prediction);
        expect(found).toEqual(expected);
      }
    },
  );

  test('come from standard input, too', async () => {
    const { out } = await run(['-', '--format', 'csv', '--model', 'line', '--out', '-'], 'x\n4\n');
    expect(String(out)).toBe('{"index":0,"prediction":8}\n');
    const packed = await run(['-', '--format', 'ndjson.gz', '--model', 'line'], gzipSync('{"x":5}'));
    expect(String(packed.out)).toBe('{"index":0,"prediction":10}\n');
  });

  test('of a model of tensors are lines of JSON', async () => {
    await writeFile(at('in.ndjson'), '{"inputs":{"X":[[1,2]]}}\n{"inputs":{"X":[[1]]}}\n');
    const { out, code } = await run([at('in.ndjson'), '--model', 'image']);
    const [first, second] = parseLines(out);
    expect(first).toEqual({ index: 0, outputs: { variable: [[1, 2]] } });
    expect([second.error.code, code]).toEqual(['invalid_input', 1]);
    const { err } = await run([at('in.ndjson'), '--model', 'image', '--to', 'csv']);
    expect(err).toMatch(/image answers with tensors, which csv cannot hold: write ndjson/);
  });
});

describe('a row that fails', () => {
  test('costs no other row its answer; the first ten reasons are printed, and the exit code is 1', async () => {
    const rows = Array.from({ length: 15 }, (_unused, k) => (k === 0 ? '{"x":1}' : `{"x":"${k}"}`));
    const { code, out, err } = await predict('in.ndjson', [...rows, '{"x":', '{"x":3}'].join('\n'));
    const lines = parseLines(out);
    expect(lines).toHaveLength(17);
    expect([lines[0].prediction, lines[16].prediction]).toEqual([2, 6]);
    expect(lines[1].error).toEqual({
      code: 'invalid_input',
      title: 'The input does not fit the model',
      detail: '1 problem',
      errors: [{ pointer: '/x', message: 'must be a number, got "1"' }],
    });
    expect(lines[15].error.code).toBe('invalid_json');
    expect(code).toBe(1);
    expect(err.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^sardonyx: 17 rows in .*, 15 failed$/),
      'sardonyx: index 1: invalid_input: /x must be a number, got "1"',
    ]);
    expect(err).toMatch(/index 10:.*\nsardonyx: and 5 other rows\n$/);
  });

  test('has its error in a column of CSV and Parquet', async () => {
    const csv = 'x,n\n1,1\nNA,1\n2,1,1\n2000000,1\n';
    await predict('in.csv', csv, '--out', at('out.csv'));
    expect(String(await readFile(at('out.csv'))).split('\n')).toEqual([
      'index,prediction,error',
      '0,3,',
      '1,,"invalid_input: /x must be a number, got ""NA"""',
      '2,,"invalid_input: The record in line 4 cannot be read: it has 3 fields, and the header has 2."',
      '3,,"invalid_input: /x must be at most 1000000, got 2000000"',
      '',
    ]);
    await predict('in.csv', csv, '--out', at('out.parquet'), '--keep-all');
    const rows = await readParquet('out.parquet');
    expect(rows[0]).toEqual({ index: 0n, x: 1, n: 1n, prediction: 3, error: null });
    // A value that is no number has no place in a column of numbers; the error quotes it.
    expect(rows[1]).toMatchObject({ x: null, n: 1n, prediction: null });
    expect(rows[1]?.['error']).toBe('invalid_input: /x must be a number, got "NA"');
    expect(rows[3]).toMatchObject({ x: 2_000_000, prediction: null });
  });

  test('keeps what it carries over to Parquet, also if it is of another type', async () => {
    const lines = '{"x":1,"id":1}\n{"x":"bad","id":"r2"}\n{"x":3,"id":3}\n';
    await predict('in.ndjson', lines, '--out', at('out.parquet'), '--keep');
    expect((await readParquet('out.parquet')).map((row) => row['id'])).toEqual(['1', 'r2', '3']);
  });

  test('does not fail others when a line is not UTF-8, or nested too deeply', async () => {
    const deep = `{"x":${'['.repeat(50)}1${']'.repeat(50)}}`;
    const content = Buffer.concat([
      Buffer.from('{"x":1}\n{"x":"'),
      Buffer.from([0xff]),
      Buffer.from(`"}\n${deep}\n{"x":2}\n`),
    ]);
    const { out } = await predict('in.ndjson', content);
    const lines = parseLines(out);
    expect(lines.map((it) => it.prediction ?? it.error.detail)).toEqual([
      2,
      'The body is not valid UTF-8.',
      'The body is nested more than 32 levels deep.',
      4,
    ]);
  });
});

describe('--keep', () => {
  test('carries columns that are no features over, and --keep-all all columns', async () => {
    const csv = 'id,x,note\n007,1,"a,b"\n008,2,\n';
    const others = await predict('in.csv', csv, '--keep', '--to', 'csv');
    expect(String(others.out)).toBe('index,id,note,prediction,error\n0,007,"a,b",2,\n1,008,,4,\n');
    const all = await predict('in.csv', csv, '--keep-all');
    expect(parseLines(all.out)).toEqual([
      { index: 0, id: '007', x: 1, note: 'a,b', prediction: 2 },
      { index: 1, id: '008', x: 2, note: null, prediction: 4 },
    ]);
  });

  test('keeps the types of NDJSON and Parquet', async () => {
    const lines =
      '{"x":1,"id":9007199254740993,"tags":["a"],"ok":true}\n{"x":2,"id":2,"tags":null,"ok":null}\n';
    await predict('in.ndjson', lines, '--keep', '--out', at('kept.parquet'));
    expect(await readParquet('kept.parquet')).toEqual([
      { index: 0n, id: 9007199254740992, tags: '["a"]', ok: true, prediction: 2, error: null },
      { index: 1n, id: 2, tags: null, ok: null, prediction: 4, error: null },
    ]);
    const columnData = [
      { name: 'x', data: [1, 2] },
      { name: 'id', data: [9007199254740993n, 2n], type: 'INT64' as const },
      { name: 'when', data: [new Date(0), null], type: 'TIMESTAMP' as const },
    ];
    parquetWriteFile({ filename: at('in.parquet'), columnData });
    const { out } = await run([at('in.parquet'), '--model', 'line', '--keep']);
    expect(String(out)).toBe(
      '{"index":0,"id":9007199254740993,"when":"1970-01-01T00:00:00.000Z","prediction":2}\n' +
        '{"index":1,"id":2,"when":null,"prediction":4}\n',
    );
    await run([at('in.parquet'), '--model', 'line', '--keep', '--out', at('out.parquet')]);
    expect((await readParquet('out.parquet'))[0]?.['id']).toBe(9007199254740993n);
  });

  test('is suggested for a column that is no feature', async () => {
    const header = await predict('in.csv', 'x,m\n1,2\n');
    expect(header.code).toBe(1);
    expect(header.err).toContain('--keep carries columns that are no features over to the output');
    expect(header.err).toContain('/m is a column that is not a feature of line; did you mean x or n?');
    const row = await predict('in.ndjson', '{"x":1,"id":2}\n');
    expect(row.err).toContain('sardonyx: --keep carries members that are no features over to the output');
    parquetWriteFile({ filename: at('in.parquet'), columnData: [{ name: 'id', data: [1] }] });
    const file = await run([at('in.parquet'), '--model', 'line']);
    expect(file.err).toContain('/x is required, and the file has no column "x"');
  });

  test('refuses a column that has the name of a column of the output', async () => {
    const { err } = await predict('in.csv', 'x,prediction\n1,2\n', '--keep');
    expect(err).toContain(
      'the column prediction of the input has the name of a column of the output: rename it',
    );
    const { out } = await predict('in.ndjson', '{"x":1,"error":2}\n{"x":1,"__proto__":2}\n', '--keep');
    expect(parseLines(out)[0].error.errors[0].message).toMatch(/is the name of a column of the output/);
    expect(String(out)).toContain('{"index":1,"__proto__":2,"prediction":2}');
  });

  test('takes the columns of a table from the first row of NDJSON', async () => {
    const lines = '{"x":1,"a":1}\n{"x":1}\n{"x":1,"b":2}\n';
    const { out } = await predict('in.ndjson', lines, '--keep', '--to', 'csv');
    expect(String(out).split('\n').slice(0, 3)).toEqual(['index,a,prediction,error', '0,1,2,', '1,,2,']);
    expect(String(out)).toContain('/b is no member of the first row');
  });
});

describe('is refused', () => {
  test.each([
    ['no file', [], 2, /the file is missing/],
    ['no model', ['in.csv'], 2, /--model is missing: name one of .*\bline\b/],
    ['an unknown suffix', ['in.txt', '--model', 'line'], 2, /suffix of in.txt is unknown: name the format/],
    ['a packed Parquet', ['in.parquet.gz', '--model', 'line'], 2, /name the format/],
    ['an unknown format', ['in.csv', '--model', 'line', '--to', 'xml'], 2, /--to must be ndjson, csv/],
    ['standard input without a format', ['-', '--model', 'line'], 2, /standard input has no suffix/],
    ['Parquet from standard input', ['-', '--format', 'parquet', '--model', 'line'], 2, /give a file/],
    ['an output of an unknown suffix', ['in.csv', '--model', 'line', '--out', 'o.xls'], 2, /--to ndjson/],
    ['the input as the output', ['in.csv', '--model', 'line', '--out', './in.csv'], 2, /input itself/],
    ['--restart alone', ['in.csv', '--model', 'line', '--restart'], 2, /--restart needs --out/],
    ['a mistyped option', ['in.csv', '--model', 'line', '--kepe'], 2, /did you mean --keep\?/],
    ['a missing file', ['/nope/in.csv', '--model', 'line'], 1, /\/nope\/in.csv is not there/],
    ['a folder', ['/tmp', '--format', 'csv', '--model', 'line'], 1, /\/tmp is a folder/],
    ['an unknown model', ['in.csv', '--model', 'lime'], 1, /lime/],
  ])('%s', async (_title, argv, code, message) => {
    const result = await run(argv);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
  });

  test('an output in a folder that is not there', async () => {
    const { code, err } = await predict('in.csv', 'x\n1\n', '--out', at('no/such/out.csv'));
    expect([code, err]).toEqual([1, `sardonyx: --out: the folder ${at('no/such')} is not there\n`]);
  });

  test('a file that is not in its format', async () => {
    const packed = await predict('in.csv.gz', gzipSync(Buffer.from('x\n1\n2\n3\n')).subarray(0, 24));
    expect(packed.err).toContain('the input is not valid gzip, or it ends too early');
    const plain = await predict('in.csv.gz', 'x\n1\n');
    expect(plain.err).toContain('the input is not valid gzip, or it ends too early');
    const parquet = await predict('in.parquet', 'x\n1\n2\n3\n4\n5\n6\n');
    expect(parquet.err).toMatch(/in\.parquet cannot be read as Parquet: /);
    const unnamed = await predict('in.csv', gzipSync('x\n1\n'));
    expect(unnamed.err).toContain('the input is compressed with gzip: say so with --format csv.gz');
    const renamed = await predict('in.ndjson', 'PAR1 and more');
    expect(renamed.err).toContain('the input is Parquet: say so with --format parquet');
    const semicolons = await predict('in.csv', 'x;n\n1;2\n');
    expect(semicolons.err).toContain('separated by semicolons');
  });

  test('an output that is there, without --force', async () => {
    await writeFile(at('out.csv'), 'mine');
    const refused = await predict('in.csv', 'x\n1\n', '--out', at('out.csv'));
    expect([refused.code, String(await readFile(at('out.csv')))]).toEqual([1, 'mine']);
    expect(refused.err).toContain('out.csv is there: --force replaces it');
    await predict('in.csv', 'x\n1\n', '--out', at('out.csv'), '--force');
    expect(String(await readFile(at('out.csv')))).toBe('index,prediction,error\n0,2,\n');
  });
});

test('an input without rows has an output without rows', async () => {
  for (const [name, content] of [
    ['in.csv', 'x\n'],
    ['in.ndjson', ''],
  ] as const) {
    for (const output of ['out.csv', 'out.ndjson', 'out.parquet', 'out.csv.gz']) {
      const { code, err } = await predict(name, content, '--out', at(output), '--force');
      expect([code, err]).toEqual([0, expect.stringContaining('sardonyx: 0 rows')]);
    }
    expect(String(await readFile(at('out.csv')))).toBe('index,prediction,error\n');
    expect(await readParquet('out.parquet')).toEqual([]);
  }
});
