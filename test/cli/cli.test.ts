import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { float, int, model, node, sequenceOfMapsValue, tensorValue } from '../helpers/onnx.js';
import { binaryClassifier, linearRegression } from '../helpers/onnx-models.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-cli-'));
  await writeFile(join(folder, 'model.onnx'), linearRegression([2, 3], 1));
  await writeFile(join(folder, 'body.json'), '{"a":1,"b":2}');
  await run(
    'add',
    join(folder, 'model.onnx'),
    '--name',
    'line',
    '--version',
    '1',
    '--features',
    'a,b',
    '--default',
  );
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(...argv: string[]) {
  return runWith({}, ...argv);
}

async function runWith({ stdin = '', root = join(folder, 'models') }, ...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli(argv, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    stdin: (async function* () {
      yield stdin;
    })(),
    env: { MODELS_DIR: root },
  });
  return { code, out, err };
}

describe('predict', () => {
  it.each([
    ['line', '{"a":1,"b":2}'],
    ['line@1', '{"a":1,"b":2}'],
    ['line@latest', '-'],
    ['line@default', '@body'],
  ])('answers %s as the server does', async (target, source) => {
    const body = source === '@body' ? `@${join(folder, 'body.json')}` : source;
    const { code, out } = await runWith({ stdin: '{"a":1,"b":2}' }, 'predict', target, body);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^\{"prediction":9,"model":"line","model_version":"1","prediction_id":"[0-9a-f-]{36}"\}\n$/,
    );
  });

  it('prints each problem of a body on its own line', async () => {
    const { code, out, err } = await run('predict', 'line', '{"a":"x","c":1}');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.trim().split('\n')).toEqual([
      'sardonyx: the input does not fit the model: 3 problems',
      '/a must be a number, got "x"',
      '/b is required',
      '/c is not a feature of line; did you mean a or b?',
    ]);
  });

  it.each([
    [['predict', 'lin', '{}'], 'did you mean line?'],
    [['predict', 'line@2', '{}'], '"2" is none of the versions of line: 1'],
    [['predict', 'line', '{"a":'], 'the body is not valid JSON'],
    [['predict', 'line', '@/no/such/file'], '/no/such/file is not there'],
  ])('%j has exit code 1 and prints the reason', async (argv, message) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(1);
    expect(err).toContain(message);
  });
});

describe('check', () => {
  it('lists a sound registry with exit code 0', async () => {
    const { code, out } = await run('check');
    expect(code).toBe(0);
    expect(out).toMatch(/line +1 +ready +inline +[\d.]+ +\d+ +0 +default, latest/);
    expect(out).toContain('Plain /predict means line.');
    expect(JSON.parse((await run('check', '--json')).out)).toMatchObject({
      models: [{ name: 'line', latest: '1' }],
      faults: [],
    });
  });

  it('prints every fault on its own line with exit code 1', async () => {
    const root = join(folder, 'faulty');
    await writeFile(join(folder, 'classifier.onnx'), binaryClassifier());
    for (const version of ['1', '2']) {
      await runWith({ root }, 'add', join(folder, 'classifier.onnx'), '--name', 'm', '--version', version);
    }
    await writeFile(join(root, 'm/2/model.onnx'), binaryClassifier([3, 3]));
    await mkdir(join(root, 'm/3'));
    await mkdir(join(root, 'Bad name'));
    await writeFile(join(root, 'm/aliases.json'), '{"default":"2","old":"7","sound":"1"}');
    await writeFile(join(root, 'aliases.json'), '{"default":"gone"}');
    const { code, out } = await run('check', root);
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^m\/2 is refused: model\.onnx has SHA-256/),
        expect.stringMatching(/^"Bad name": is not a valid name for a model/),
        'm/3: has no metadata.json, so it is not a version yet',
        'm: the alias default names 2, which is refused',
        'm: the alias old names 7, which is not there',
        'the alias default names the model gone, which is not there',
        '6 faults.',
      ]),
    );
    const predicted = await runWith({ root }, 'predict', 'm', '{}');
    expect(predicted.err).toContain('2 is refused: model.onnx has SHA-256');
  });

  it('has exit code 1 if the folder is missing or empty', async () => {
    expect((await run('check', join(folder, 'nothing'))).err).toContain('nothing is not there');
    await mkdir(join(folder, 'empty'));
    expect((await run('check', join(folder, 'empty'))).code).toBe(1);
  });
});

describe('inspect', () => {
  it('shows inputs, outputs and metadata of a model, with control characters escaped', async () => {
    const hostile = model({
      producer: 'evil\u001b[2J',
      inputs: [tensorValue('X\u202e', 'float32', ['N', 2])],
      outputs: [tensorValue('Y', 'float32'), sequenceOfMapsValue('Z', 'int64', 'float32')],
      nodes: [node('Scale', ['X'], ['Y'], { by: float(2), axis: int(1) })],
      metadata: { note: 'a\nb', c1: '\u009b2J\u061c' },
    });
    await writeFile(join(folder, 'hostile.onnx'), hostile);
    const { code, out } = await run('inspect', join(folder, 'hostile.onnx'));
    expect(code).toBe(0);
    expect(out).toContain('evil\\u001b[2J');
    expect(out).toContain('X\\u202e: float32 [N, 2]');
    expect(out).toContain('Z: sequence of map of int64 to float32');
    expect(out).toContain('note: a\\u000ab');
    const json = (await run('inspect', join(folder, 'hostile.onnx'), '--json')).out;
    expect(json).toMatch(/^[\n -~]*$/);
    const facts = JSON.parse(json);
    expect(facts.inputs[0].name).toBe('X\u202e');
    expect(facts).toMatchObject({
      irVersion: 8,
      opsets: { 'ai.onnx': 17 },
      operators: { Scale: 1 },
      externalData: [],
    });
  });

  it('advises external data for a file over 2 GiB', async () => {
    const path = join(folder, 'large.onnx');
    await writeFile(path, '');
    // A sparse file uses no space on the disk.
    await truncate(path, 2 ** 31);
    expect((await run('inspect', path)).err).toContain(
      'has 2147483648 bytes, over the limit of 2147483647: save its weights as external data',
    );
  });

  it('prints one line with the reason if a file is not a model', async () => {
    await writeFile(join(folder, 'text.onnx'), 'hello');
    expect((await run('inspect', join(folder, 'text.onnx'))).err).toMatch(
      /^sardonyx: the model is not an ONNX model: .*\n$/,
    );
    expect((await run('inspect', folder)).err).toContain('is not a regular file');
  });
});

describe('wrong usage', () => {
  it.each([
    [[], 'a command is missing'],
    [['serv'], 'serv is not a command; did you mean serve?'],
    [['constructor'], 'constructor is not a command: sardonyx --help lists them'],
    [['check', '--jsn'], '--jsn is not an option; did you mean --json?'],
    [['check', 'a', 'b'], '"b" is one argument too many'],
    [['add', 'm.onnx'], '--name is missing'],
    [['add', 'm.onnx', '--name'], "Option '--name <value>' argument missing"],
    [['add', 'm.onnx', '--name', 'A'], '--name must match'],
    [
      ['add', 'm.onnx', '--name', 'a', '--task', 'ranking'],
      '--task must be one of classification, regression, tensor',
    ],
    [['add', 'nothing.onnx', '--name', 'a', '--features', 'a,,b'], '--features has an empty name'],
    [['predict', 'line'], 'the body is missing'],
  ])('%j has exit code 2 and prints one line', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(err).toMatch(/^sardonyx: .*\n$/);
  });

  it.each(['serve', 'check', 'add', 'predict', 'inspect'])('%s --help prints the usage', async (command) => {
    const { code, out } = await run(command, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`Usage: sardonyx ${command}`);
    expect(await run('help', command)).toEqual({ code, out, err: '' });
  });
});

describe('the process', () => {
  const start = (command: string) =>
    spawnSync('sh', ['-c', command], {
      encoding: 'utf8',
      env: { ...process.env, MODELS_DIR: join(folder, 'models') },
    });
  const cli = `${process.execPath} --import tsx src/cli.ts`;

  it('prints an answer, and its version with --version', () => {
    const { stdout, stderr, status } = start(`${cli} predict line '{"a":0,"b":0}' && ${cli} --version`);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toMatch(/^\{"prediction":1,.*\}\n\d+\.\d+\.\d+\n$/);
  });

  it('ends with the exit code and without a stack trace', () => {
    const { stderr, status } = start(`${cli} predict nobody '{}'`);
    expect(status).toBe(1);
    expect(stderr.split('\n')[0]).toBe('sardonyx: "nobody" is none of the models: line.');
    expect(stderr).not.toContain('    at ');
  });

  it('prints no error if the reader closes the pipe', () => {
    expect(start(`${cli} check --json | true`).stderr).toBe('');
  });
});
