import { gzipSync } from 'node:zlib';
import { afterAll, expect } from 'vitest';
import { createRandom } from '../helpers/onnx/random.js';
import * as onnx from '../helpers/onnx.js';
import * as models from '../helpers/onnx-models.js';
import { createRegistryFolder, type VersionParts } from '../helpers/registry-folder.js';
import { fault } from './instruments/fault.js';
import { ask, refusalsOf, serving, versionsOf } from './instruments/registry-under-fault.js';

const broken = createRegistryFolder();
const outputs = createRegistryFolder();
afterAll(() => {
  for (const folder of [broken, outputs]) folder[Symbol.dispose]();
});

const one: VersionParts['manifest'] = { task: 'regression', features: [{ name: 'X', type: 'number' }] };
const X = onnx.tensorValue('X', 'float32', ['N', 1]);
const Y = onnx.tensorValue('variable', 'float32', ['N', 1]);
const graphOf = (...nodes: ReturnType<typeof onnx.node>[]) =>
  onnx.model({ inputs: [X], outputs: [Y], nodes });
const sound = Buffer.from(models.linearRegression([1]));
const random = createRandom(3);

/**
 * Broken model files with correct digests, and the reason of their refusal. Those marked `ours` are refused by our own
 * checks before a child opens them: the engine would crash on them, or a run would never end.
 */
const files: readonly [name: string, model: Uint8Array, reason: RegExp, ours?: 'ours'][] = [
  ['empty', new Uint8Array(), /^model\.onnx is empty$/],
  ['junk', Buffer.from('not a model, but a text about one'), /is not an ONNX model/],
  ['random', Uint8Array.from({ length: 5_000 }, () => random() * 256), /is not an ONNX model/],
  ['zeros', new Uint8Array(1_000), /is not an ONNX model/],
  ['cut-in-half', sound.subarray(0, sound.length / 2), /is not an ONNX model: it ends early/],
  ['cut-at-the-end', sound.subarray(0, -1), /ends early/],
  ['lfs', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0'), /git lfs pull/],
  ['ort', Buffer.from('\x18\0\0\0ORTM\0\0\0\0'), /ORT format: export it as ONNX/],
  ['html', Buffer.from('<!doctype html><title>404</title>'), /is not an ONNX model/],
  ['json', Buffer.from('{"ir_version": 8}'), /is not an ONNX model/],
  ['gzip', gzipSync(sound), /is not an ONNX model/],
  ['pickle', Buffer.from('\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x07sklearn', 'latin1'), /is not an ONNX model/],
  ['opset-99', models.opset99(), /Opset 99 .*till opset \d+/],
  ['ir-99', models.ir99(), /Unsupported model IR version: 99/],
  ['operator', models.unknownOperator(), /No Op registered for Transmogrify/],
  ['domain', graphOf(onnx.node('com.example:Thing', ['X'], ['variable'])), /com\.example/],
  ['bfloat16', models.bfloat16(), /X is a tensor of bfloat16, which cannot be served/],
  ['float8', models.float8(), /X is a tensor of float8e4m3fn, which cannot be served/],
  ['4-terabytes', models.hugeInitializer(), /'W' declares a size of 4398046511104 bytes/],
  ['cyclic-tree', models.cyclicTree(), /has a tree with a node that leads back to itself/, 'ours'],
  ['deep-tree', models.deepTree(20_000), /has a tree of over 5000 levels/, 'ours'],
  ['empty-optional', models.emptyOptional(), /variable \(optional\)/, 'ours'],
  ['optional', models.optionalOutput(), /variable \(optional\)/],
  ['sequence', models.sequenceOutput(), /variable \(sequence\)/],
  ['outside', models.externalData('../../sound/1/model.onnx'), /must be a plain path/],
  ['no-weights', models.externalData('w.bin'), /have no digest in metadata\.json/],
  ['two-features', models.linearRegression([1, 2]), /shape \[N, 2\].*1 feature cannot fill/],
  ['no-outputs', onnx.model({ inputs: [X], nodes: [onnx.node('Identity', ['X'], ['y'])] }), /output/],
  ['dangling', graphOf(onnx.node('Identity', ['nobody'], ['variable'])), /nobody/],
  [
    'cyclic-graph',
    graphOf(
      onnx.node('Add', ['X', 'b'], ['a']),
      onnx.node('Identity', ['a'], ['b']),
      onnx.node('Identity', ['b'], ['variable']),
    ),
    /engine refuses model\.onnx: .*(cycle|topological|invalid|not output of any previous nodes)/i,
  ],
  [
    'twice',
    graphOf(onnx.node('Identity', ['X'], ['variable']), onnx.node('Neg', ['X'], ['variable'])),
    /variable/,
  ],
  [
    'mismatch',
    onnx.model({
      inputs: [X],
      outputs: [Y],
      initializers: [onnx.initializer('W', 'float32', [3, 1], [1, 2, 3])],
      nodes: [onnx.node('MatMul', ['X', 'W'], ['variable'])],
    }),
    /MatMul|dimension/i,
  ],
];
for (const [name, model] of files) broken.addVersion('m', name, { manifest: one, model });
broken.addVersion('m', '1', { manifest: one, model: sound });

fault(
  'R03',
  'a model that cannot be served is refused with a reason that says what to do',
  async ({ server }) => {
    const reasons = await refusalsOf(server, 'm');
    for (const [name, , reason] of files) expect.soft(reasons.get(name), name).toMatch(reason);
    expect(reasons.size).toBe(files.length);
    const { body } = await ask(server, '/models/m/predict', { X: 5 });
    expect(body).toMatchObject({ prediction: 5, model_version: '1' });
    const ours = files.filter(([, , , mark]) => mark === 'ours').length;
    return `crashes 0, clear reasons ${files.length} of ${files.length} (${ours} by our own checks, before the child opens the file)`;
  },
  serving(broken),
);

const binary: VersionParts['manifest'] = {
  task: 'classification',
  features: [
    { name: 'p', type: 'number' },
    { name: 'q', type: 'number' },
  ],
};
const advice = /ZipMap.*(zipmap=False|'zipmap': False)/;
const kinds: readonly [string, VersionParts, RegExp | undefined][] = [
  ['zipmap', { manifest: binary, model: models.zipMap() }, undefined],
  ['zipmap-within', { manifest: binary, model: models.zipMap({ used: true }) }, advice],
  [
    'zipmap-label',
    { manifest: { ...binary, output: { label: 'label' } }, model: models.zipMap() },
    undefined,
  ],
  [
    'zipmap-named',
    { manifest: { ...binary, output: { probabilities: 'output_probability' } }, model: models.zipMap() },
    undefined,
  ],
  ['zipmap-and-tensor', { manifest: binary, model: models.zipMap({ tensor: true }) }, undefined],
  ['zipmap-as-tensor-task', { manifest: { task: 'tensor' }, model: models.zipMap() }, undefined],
  ['sequence', { manifest: one, model: models.sequenceOutput() }, /sequence/],
  [
    'sequence-as-tensor-task',
    { manifest: { task: 'tensor' }, model: models.sequenceOutput() },
    /no output of the graph is a tensor/,
  ],
  ['optional', { manifest: one, model: models.optionalOutput() }, /optional/],
  [
    'empty-optional-as-tensor-task',
    { manifest: { task: 'tensor' }, model: models.emptyOptional() },
    /no output of the graph is a tensor/,
  ],
  ['unknown-rank', { manifest: one, model: models.unknownRank() }, undefined],
  ['unknown-rank-as-tensor-task', { manifest: { task: 'tensor' }, model: models.unknownRank() }, undefined],
];
for (const [name, parts] of kinds) outputs.addVersion('m', name, parts);

fault(
  'R11',
  'outputs that are not tensors are skipped, or refused with advice',
  async ({ server }) => {
    const reasons = await refusalsOf(server, 'm');
    const served = (await versionsOf(server, 'm')).filter(({ state }) => state === 'ready');
    for (const [name, , reason] of kinds) {
      if (reason === undefined) expect.soft(reasons.get(name), name).toBeUndefined();
      else expect.soft(reasons.get(name), name).toMatch(reason);
    }
    let surprises = 0;
    for (const { version } of served) {
      const path = `/models/m/versions/${version}`;
      const { example } = (await (await fetch(server.url + path)).json()) as { example: unknown };
      const { status } = await ask(server, `${path}/predict`, example);
      if (status !== 200) surprises += 1;
    }
    expect(surprises).toBe(0);
    return `failures at run ${surprises} of ${served.length} served versions; ${reasons.size} refused`;
  },
  serving(outputs),
);
