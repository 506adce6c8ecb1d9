import { link, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useCliFolder } from '../helpers/cli.js';
import * as models from '../helpers/onnx-models.js';

const cli = useCliFolder('sardonyx-add-', () => new Date('2026-11-23T01:02:03.456Z'));
const run = cli.run;

async function add(model: Uint8Array, ...options: string[]) {
  await writeFile(join(cli.path, 'model.onnx'), model);
  return run('add', join(cli.path, 'model.onnx'), '--name', 'm', ...options);
}

const readManifest = async (version = '20261123_010203') =>
  JSON.parse(await readFile(join(cli.path, 'models/m', version, 'metadata.json'), 'utf8'));

const zeros = { prediction: expect.anything() };

describe('a model without a manifest answers after add', () => {
  const cases: [
    name: string,
    model: Uint8Array,
    task: string,
    output: object | undefined,
    options?: string[],
  ][] = [
    ['linearRegression', models.linearRegression([1, 2]), 'regression', { value: 'variable' }],
    ['float64Linear', models.float64Linear([1]), 'regression', { value: 'variable' }],
    ['float16Linear', models.float16Linear([1]), 'regression', { value: 'variable' }],
    [
      'twoOutputs',
      models.twoOutputs(),
      'regression',
      { value: 'variable', names: ['variable0', 'variable1'] },
    ],
    ['fixedBatch', models.fixedBatch(4), 'regression', { value: 'variable' }],
    ['int64Sum', models.int64Sum(), 'regression', { value: 'variable' }],
    ['grouped', models.grouped(), 'regression', { value: 'value' }],
    ['perColumn', models.perColumn(), 'regression', { value: 'value' }],
    ['columnVector', models.columnVector(), 'regression', { value: 'value' }],
    ['stringEcho', models.stringEcho(), 'classification', { label: 'variable' }],
    ['boolNot', models.boolNot(), 'classification', { label: 'variable' }],
    ['an image', models.echo('float32', ['N', 1, 8, 8]), 'tensor', undefined],
    ['unknownRank', models.unknownRank(), 'tensor', undefined],
    [
      'binaryClassifier',
      models.binaryClassifier(),
      'classification',
      { label: 'label', probabilities: 'probabilities', classes: [0, 1] },
    ],
    ['labelOnly', models.labelOnly(), 'classification', { label: 'label', classes: [0, 1] }],
    [
      'probabilitiesOnly',
      models.probabilitiesOnly(),
      'classification',
      { probabilities: 'probabilities', classes: [0, 1] },
    ],
    [
      'multiclass',
      models.multiclass(),
      'classification',
      { label: 'label', probabilities: 'probabilities', classes: ['red', 'green', 'blue'] },
    ],
    ['oneColumn', models.oneColumn(), 'classification', { probabilities: 'probability', classes: [0, 1] }],
    [
      'a flat column',
      models.oneColumn({ flat: true }),
      'classification',
      { probabilities: 'probability', classes: [0, 1] },
    ],
    [
      'logits of three',
      models.logits(3),
      'classification',
      { probabilities: 'logits', classes: [0, 1, 2], activation: 'softmax' },
    ],
    [
      'a single logit',
      models.logits(1),
      'classification',
      { probabilities: 'logits', classes: ['no', 'yes'], activation: 'sigmoid' },
      ['--classes', 'no,yes'],
    ],
    [
      'zipMap',
      models.zipMap(),
      'classification',
      { label: 'label', probabilities: 'output_probability', classes: [0, 1] },
    ],
    [
      'zipMap with a tensor',
      models.zipMap({ tensor: true }),
      'classification',
      { label: 'label', probabilities: 'probabilities', classes: [0, 1] },
    ],
    [
      'randomForest',
      models.randomForest(3, 3, 4),
      'classification',
      { label: 'label', probabilities: 'probabilities', classes: [0, 1] },
    ],
    ['deepTree', models.deepTree(10), 'regression', { value: 'variable' }],
    ['gatherByValue', models.gatherByValue(), 'regression', { value: 'value' }],
    ['nanAt', models.nanAt(), 'regression', { value: 'value' }],
    ['bigInt64', models.bigInt64(), 'regression', { value: 'value' }],
    ['slow', models.slow(2), 'regression', { value: 'value' }],
  ];
  it.each(cases)('%s', async (_name, model, task, output, options = []) => {
    const { code, out, err } = await add(model, ...options);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Added m 20261123_010203');
    const manifest = await readManifest();
    expect(manifest.task).toBe(task);
    expect(manifest.output).toEqual(output);
    const answer = await run('predict', 'm', '--example');
    expect(answer.err).toBe('');
    const text = answer.out.split('\n')[1] ?? '';
    expect(JSON.parse(text)).toMatchObject(task === 'tensor' ? { outputs: expect.anything() } : zeros);
  });
});

describe('the proposed manifest', () => {
  it('has types of features from one-column inputs, and an example from the encoder', async () => {
    await add(models.perColumn());
    expect((await readManifest()).features).toEqual([
      { name: 'age', type: 'integer' },
      { name: 'income', type: 'number' },
      { name: 'region', type: 'string', example: 'north' },
      { name: 'owner', type: 'boolean' },
    ]);
  });

  it('has numbered names for the columns of a matrix, or the given names', async () => {
    await add(models.linearRegression([1, 2]));
    expect((await readManifest()).features.map((it: { name: string }) => it.name)).toEqual(['x0', 'x1']);
    await add(
      models.linearRegression([1, 2]),
      '--features',
      'height, weight',
      '--version',
      '20261124_000000',
    );
    expect((await readManifest('20261124_000000')).features.map((it: { name: string }) => it.name)).toEqual([
      'height',
      'weight',
    ]);
    const { code, err } = await add(models.linearRegression([1, 2]), '--features', 'height');
    expect(code).toBe(1);
    expect(err).toBe('sardonyx: --features has 1 name, but the graph takes 2 columns: X [N, 2]\n');
  });

  it('has the given classes by position; other numbers and orders of classes are refused', async () => {
    await add(models.binaryClassifier(), '--classes', 'no,yes');
    const { out } = await run('predict', 'm', '{"x0":2,"x1":2}');
    expect(JSON.parse(out)).toMatchObject({ prediction: 'yes' });
    expect((await add(models.binaryClassifier(), '--classes', '1,0')).err).toContain('in this order: 0, 1');
    expect((await add(models.binaryClassifier(), '--classes', 'a,b,c')).err).toContain('2 classes');
  });

  it('says what its reference describes, and that a version after one with a reference has none', async () => {
    const file = join(cli.path, 'reference.json');
    const write = (rows: number) =>
      writeFile(file, JSON.stringify({ rows, features: { f0: { missing: 0, sample: [1, 2, 3] } } }));
    const options = ['--features', 'f0,f1', '--reference', file];
    await write(4_000);
    const first = await add(models.linearRegression([2, 3]), '--version', '1', ...options);
    expect(first.out).toMatch(/reference +4,000 rows, 1 column\n/);
    await write(3);
    const few = await add(models.linearRegression([2, 3]), '--version', '2', ...options);
    expect(few.out).toContain('note: the reference describes fewer than 100 rows');
    const none = await add(models.linearRegression([2, 3]), '--version', '3', '--features', 'f0,f1');
    expect(none.out).toMatch(/note: .*m\/2 has a reference.json, and 3 has none: drift is not detected/);
  });

  it('has examples and nullable features from the golden rows, which must pass', async () => {
    const golden = {
      instances: [
        { x0: 3, x1: null },
        { x0: 1, x1: 2 },
      ],
      expected: [{ prediction: 'x' }, { prediction: 8 }],
    };
    await writeFile(join(cli.path, 'golden.json'), JSON.stringify(golden));
    const refused = await add(models.linearRegression([2, 3]), '--golden', join(cli.path, 'golden.json'));
    expect(refused.err).toContain('golden rows fail');
    expect(await readdir(join(cli.path, 'models'))).toEqual([]);

    golden.instances.shift();
    golden.expected.shift();
    await writeFile(join(cli.path, 'golden.json'), JSON.stringify(golden));
    const { out } = await add(models.linearRegression([2, 3]), '--golden', join(cli.path, 'golden.json'));
    expect(out).toContain('1 golden rows pass');
    expect((await readManifest()).features[0]).toEqual({ name: 'x0', type: 'number', example: 1 });
    expect(Object.keys((await readManifest()).sha256)).toEqual(['model.onnx', 'golden.json']);
  });

  it('has the keys of a given manifest in place of proposed ones', async () => {
    await writeFile(
      join(cli.path, 'given.json'),
      JSON.stringify({ description: 'Sum and difference', output: { names: ['sum', 'difference'] } }),
    );
    await add(models.twoOutputs(), '--manifest', join(cli.path, 'given.json'));
    const { out } = await run('predict', 'm', '{"x0":3,"x1":2}');
    expect(JSON.parse(out).prediction).toEqual({ sum: 5, difference: 1 });
    expect(await readManifest()).toMatchObject({
      description: 'Sum and difference',
      output: { value: 'variable' },
    });
  });
});

describe('the advice of add', () => {
  it('names no file if golden rows are the only thing that is missing', async () => {
    await writeFile(
      join(cli.path, 'given.json'),
      JSON.stringify({ description: 'Echo', metrics: { accuracy: 1 } }),
    );
    const { out } = await add(
      models.echo('float32', ['N', 2]),
      ...['--task', 'tensor', '--manifest', join(cli.path, 'given.json')],
    );
    expect(out).toContain('\n\nGolden rows (--golden) would check its answers.\n');
    expect(out).not.toContain('metadata.json');
  });
});

describe('a refused model leaves no files', () => {
  it.each([
    ['a ZipMap whose output is used', models.zipMap({ used: true }), "{'zipmap': False}"],
    ['unknownOperator', models.unknownOperator(), 'the engine refuses'],
    ['bfloat16', models.bfloat16(), 'bfloat16'],
    ['no model', new Uint8Array([1, 2, 3]), 'is not an ONNX model'],
    ['cyclicTree', models.cyclicTree(), 'leads back to itself'],
    ['sequenceOutput', models.sequenceOutput(), 'no output of the graph is a tensor'],
    ['weights outside', models.externalData('../secret'), 'must be a plain path'],
    ['weights called metadata.json', models.externalData('metadata.json'), 'must be a plain path'],
    ['missing weights', models.externalData('w.bin'), 'cannot be found beside the model'],
  ])('%s', async (_name, model, reason) => {
    const { code, out, err } = await add(model);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(reason);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(await readdir(join(cli.path, 'models')).catch(() => [])).toEqual([]);
  });

  it('weights that are a link out of the folder of the model', async () => {
    await symlink('/etc/hostname', join(cli.path, 'w.bin'));
    expect((await add(models.externalData('w.bin'))).err).toContain("lead out of the model's folder");
  });
});

describe('a new version', () => {
  it('has copies of external weights with their digests', async () => {
    await writeFile(join(cli.path, 'w.bin'), new Uint8Array(new Float32Array([5]).buffer));
    expect((await add(models.externalData('w.bin'))).err).toBe('');
    expect(Object.keys((await readManifest()).sha256)).toEqual(['model.onnx', 'w.bin']);
  });

  it('keeps the mode of external weights, and is refused if they are a hard link', async () => {
    const weights = join(cli.path, 'w.bin');
    await writeFile(weights, new Uint8Array(new Float32Array([5]).buffer), { mode: 0o600 });
    await add(models.externalData('w.bin'));
    const [version = ''] = await readdir(join(cli.path, 'models/m'));
    expect((await stat(join(cli.path, 'models/m', version, 'w.bin'))).mode & 0o777).toBe(0o600);
    await link(weights, join(cli.path, 'other'));
    expect((await add(models.externalData('w.bin'), '--name', 'linked')).err).toContain(
      'external weights "w.bin" are a hard link to another file: copy them with cp',
    );
    expect(JSON.parse((await run('predict', 'm', '{"X":2}')).out).prediction).toBe(7);
  });

  it('never overwrites an existing version', async () => {
    await add(models.linearRegression([1]), '--version', '1');
    const before = await readFile(join(cli.path, 'models/m/1/metadata.json'), 'utf8');
    const { code, err } = await add(models.linearRegression([2]), '--version', '1');
    expect(code).toBe(1);
    expect(err).toContain('exists already, and a version is never overwritten');
    expect(await readFile(join(cli.path, 'models/m/1/metadata.json'), 'utf8')).toBe(before);
    expect(await readdir(join(cli.path, 'models/m'))).toEqual(['1']);
  });

  it('has the next whole number or the next patch as name', async () => {
    await add(models.linearRegression([1]), '--version', '9');
    expect((await add(models.linearRegression([1]))).out).toContain('Added m 10');
    await add(models.linearRegression([1]), '--name', 's', '--version', '1.2.9');
    expect((await add(models.linearRegression([1]), '--name', 's')).out).toContain('Added s 1.2.10');
  });

  it('is refused if its name breaks the order of the others', async () => {
    await add(models.linearRegression([1]), '--version', '1');
    expect((await add(models.linearRegression([1]), '--version', '1.0.0')).err).toContain(
      'have no common order',
    );
    expect((await add(models.linearRegression([1]), '--version', '01')).err).toContain('compare as equal');
    expect((await add(models.linearRegression([1]), '--version', 'latest')).code).toBe(2);
  });

  it('gets the alias default with --default; without it, add names the version that keeps it', async () => {
    await add(models.linearRegression([1]), '--version', '1', '--default');
    expect((await add(models.linearRegression([1]))).out).toContain('The alias default still names 1.');
    expect(JSON.parse((await run('predict', 'm', '{"X":1}')).out).model_version).toBe('1');
    await add(models.linearRegression([1]), '--default');
    expect(JSON.parse((await run('predict', 'm', '{"X":1}')).out).model_version).toBe('3');
    expect((await add(models.linearRegression([1]), '--version', 'default')).err).toContain(
      'is an alias already',
    );
  });
});
