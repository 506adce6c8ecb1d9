import { spawnSync } from 'node:child_process';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { openSession } from '../../src/inference/engine/session.js';
import { readGraph } from '../../src/inference/onnx/read-graph.js';
import type { Tensors } from '../../src/inference/tensors/tensor.js';
import { type ElementType, toFloat16 } from './onnx.js';
import * as cast from './onnx-models.js';

type Feeds = Record<string, Tensor>;
type Answer = Record<string, { dims: readonly number[]; data: readonly unknown[] }>;

async function run(model: Uint8Array, feeds: Feeds, fetches?: readonly string[]): Promise<Answer> {
  const session = openSession(model, 1);
  try {
    const results = session.run(
      feeds as unknown as Tensors,
      fetches ?? readGraph(model).outputs.map(({ name }) => name),
    );
    return Object.fromEntries(
      Object.entries(results).map(([name, { dims, data }]) => [name, { dims, data: [...data] }]),
    );
  } finally {
    session.release();
  }
}

const load = (model: Uint8Array) => InferenceSession.create(model, { logSeverityLevel: 4 });
const float32 = (data: number[], dims: number[]) => new Tensor('float32', Float32Array.from(data), dims);
const column = (data: number[]) => float32(data, [data.length, 1]);
const int64 = (data: bigint[], dims: number[]) => new Tensor('int64', BigInt64Array.from(data), dims);
/** From bits: if Node has Float16Array, the engine's own Tensor creates one and then cannot read it. */
const float16 = (bits: number[], dims: number[]) =>
  ({ type: 'float16', data: Uint16Array.from(bits), dims }) as unknown as Tensor;
const strings = (data: string[]) => new Tensor('string', data, [data.length, 1]);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5));
const two = [sigmoid(-3), sigmoid(3), sigmoid(2), sigmoid(-2)];
const twoRows = () => ({ X: float32([1, 2, -3, 1], [2, 2]) });
const answer = (name: string, dims: number[], data: readonly unknown[]): Answer => ({
  [name]: { dims, data },
});

const SOUND: [name: string, model: Uint8Array, feeds: Feeds, expected: Answer][] = [
  ['linearRegression', cast.linearRegression([2, 3], 1), twoRows(), answer('variable', [2, 1], [9, -2])],
  [
    'float64Linear',
    cast.float64Linear([0.1, 0.2], 0.3),
    { X: new Tensor('float64', Float64Array.of(1, 1), [1, 2]) },
    answer('variable', [1, 1], [0.1 + 0.2 + 0.3]),
  ],
  [
    'float16Linear',
    cast.float16Linear([0.5, 2], 1),
    { X: float16([toFloat16(3), toFloat16(-4)], [1, 2]) },
    answer('variable', [1, 1], [toFloat16(-5.5)]),
  ],
  ['twoOutputs', cast.twoOutputs(), twoRows(), answer('variable', [2, 2], [3, -1, -2, -4])],
  ['fixedBatch', cast.fixedBatch(2), twoRows(), answer('variable', [2, 1], [3, -2])],
  [
    'int64Sum',
    cast.int64Sum(),
    { X: int64([2n ** 60n, 1n], [1, 2]) },
    answer('variable', [1, 1], [2n ** 60n + 1n]),
  ],
  [
    'boolNot',
    cast.boolNot(),
    { X: new Tensor('bool', Uint8Array.of(1, 0), [2, 1]) },
    answer('variable', [2, 1], [0, 1]),
  ],
  ['stringEcho', cast.stringEcho(), { X: strings(['é', '']) }, answer('variable', [2, 1], ['é', ''])],
  ['oneColumn', cast.oneColumn(), { X: column([3]) }, answer('probability', [1, 1], close([sigmoid(3)]))],
  [
    'oneColumn, flat',
    cast.oneColumn({ flat: true }),
    { X: column([3]) },
    answer('probability', [1], close([sigmoid(3)])),
  ],
  ['logits', cast.logits(2), twoRows(), answer('logits', [2, 2], [1, 2, -3, 1])],
  [
    'binaryClassifier',
    cast.binaryClassifier(),
    twoRows(),
    { ...answer('label', [2], [1n, 0n]), ...answer('probabilities', [2, 2], close(two)) },
  ],
  ['labelOnly', cast.labelOnly(), twoRows(), answer('label', [2], [1n, 0n])],
  ['probabilitiesOnly', cast.probabilitiesOnly(), twoRows(), answer('probabilities', [2, 2], close(two))],
  [
    'multiclass',
    cast.multiclass(['a', 'b']),
    twoRows(),
    {
      ...answer('label', [2], ['b', 'b']),
      ...answer('probabilities', [2, 2], close([sigmoid(-1), sigmoid(1), sigmoid(-4), sigmoid(4)])),
    },
  ],
  [
    'grouped',
    cast.grouped(),
    { ...twoRows(), R: strings(['south', 'elsewhere']) },
    answer('value', [2, 1], [23, -2]),
  ],
  [
    'perColumn',
    cast.perColumn(),
    {
      age: int64([40n], [1, 1]),
      income: column([0.5]),
      region: strings(['north']),
      owner: new Tensor('bool', Uint8Array.of(1), [1, 1]),
    },
    answer('value', [1, 1], [51.5]),
  ],
  [
    'columnVector',
    cast.columnVector(),
    { a: float32([1, 2], [2]), b: float32([10, 20], [2]) },
    answer('value', [2], [11, 22]),
  ],
  ['gatherByValue', cast.gatherByValue(), { X: column([3, 0, -1]) }, answer('value', [3, 1], [40, 10, 40])],
  [
    'nanAt',
    cast.nanAt(),
    { X: column([1, -1, 0]) },
    answer('value', [3, 1], [0, Number.NaN, Number.NEGATIVE_INFINITY]),
  ],
  [
    'infOut',
    cast.infOut(),
    { X: column([2, 0, -0]) },
    answer('value', [3, 1], [0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
  ],
  [
    'bigInt64',
    cast.bigInt64(),
    { X: int64([8_193n], [1, 1]) },
    answer('value', [1, 1], [8_193n * 2n ** 40n]),
  ],
  ['slow', cast.slow(3), { X: column([7, 8]) }, answer('value', [2, 1], [7, 8])],
  ['slow by its input', cast.slow(), { X: column([3, 1]) }, answer('value', [2, 1], [3, 1])],
  ['layers of sines', cast.sineLayers(2, 1), { X: column([0]) }, answer('variable', [1, 1], [0])],
  ['unknownRank', cast.unknownRank(), { X: column([5]) }, answer('variable', [1, 1], [5])],
  ['optionalOutput', cast.optionalOutput(), { X: column([5]) }, answer('variable', [1, 1], [5])],
  [
    'deepTree',
    cast.deepTree(1_000),
    { X: column([0, 1, 999, 1_000]) },
    answer('variable', [4, 1], [1, 2, 1_000, 0]),
  ],
  [
    'treeEnsemble',
    cast.treeEnsemble({
      thresholds: [0.5],
      whenTrue: [0],
      isTrueLeaf: [1],
      whenFalse: [1],
      isFalseLeaf: [1],
      weights: [5, 6],
    }),
    { X: column([0, 1]) },
    answer('variable', [2, 1], [5, 6]),
  ],
];

describe('the tiny models', () => {
  test.each(SOUND)('%s returns the right numbers', async (_name, model, feeds, expected) => {
    expect(await run(model, feeds)).toEqual(expected);
  });

  const ECHOES: [ElementType, Tensor][] = [
    ['float32', new Tensor('float32', Float32Array.of(1.5, -2), [2, 1])],
    ['float64', new Tensor('float64', Float64Array.of(1.5, -2), [2, 1])],
    ['float16', float16([0x3e00, 0xc000], [2, 1])],
    ['int8', new Tensor('int8', Int8Array.of(127, -128), [2, 1])],
    ['uint8', new Tensor('uint8', Uint8Array.of(255, 0), [2, 1])],
    ['int16', new Tensor('int16', Int16Array.of(1, -2), [2, 1])],
    ['uint16', new Tensor('uint16', Uint16Array.of(1, 65_535), [2, 1])],
    ['int32', new Tensor('int32', Int32Array.of(1, -2), [2, 1])],
    ['uint32', new Tensor('uint32', Uint32Array.of(1, 2 ** 32 - 1), [2, 1])],
    ['int64', new Tensor('int64', BigInt64Array.of(1n, -2n), [2, 1])],
    ['uint64', new Tensor('uint64', BigUint64Array.of(1n, 2n ** 64n - 1n), [2, 1])],
    ['bool', new Tensor('bool', Uint8Array.of(1, 0), [2, 1])],
    ['string', new Tensor('string', ['a', ''], [2, 1])],
  ];
  test.each(ECHOES)('echo returns %s unchanged', async (type, X) => {
    expect(await run(cast.echo(type), { X })).toEqual(answer('variable', [2, 1], [...X.data]));
  });

  test('randomForest agrees with a walk through its own trees', async () => {
    const model = cast.randomForest(5, 4, 3);
    const rows = [
      [0.1, 0.9, 0.5],
      [0.7, 0.2, 0.3],
    ];
    const expected = rows.flatMap((row) => walkForest(model, row));
    const { label, probabilities } = await run(model, { X: float32(rows.flat(), [2, 3]) });
    expect(probabilities).toEqual({ dims: [2, 2], data: close(expected) });
    expect(label?.data).toEqual([1, 3].map((at) => (expected[at]! > 0.5 ? 1n : 0n)));
    expect(cast.randomForest(5, 4, 3)).toEqual(model);
  });

  test('zipMap returns its label and, if exposed, the tensor; the maps cannot be fetched', async () => {
    const both = await run(cast.zipMap({ tensor: true }), twoRows(), ['label', 'probabilities']);
    expect(both['probabilities']?.data).toEqual(close(two));
    expect((await run(cast.zipMap(), twoRows(), ['label']))['label']?.data).toEqual([1n, 0n]);
    await expect(run(cast.zipMap(), twoRows())).rejects.toThrow('Non tensor type');
    await expect(run(cast.sequenceOutput(), { X: column([1]) })).rejects.toThrow('Non tensor type');
  });

  test('gatherByValue throws for an index outside its table', async () => {
    await expect(run(cast.gatherByValue(), { X: column([0, 4]) })).rejects.toThrow('out of data bounds');
  });
});

/** The probabilities of one row, computed from the attributes in the model's bytes. */
function walkForest(model: Uint8Array, row: readonly number[]): [number, number] {
  const attributes = readGraph(model).nodes[0]?.attributes;
  const list = (name: string): readonly (number | string)[] => {
    const value = attributes?.get(name);
    return value && 'read' in value ? value.read() : [];
  };
  const trees = list('nodes_treeids');
  const place = (tree: number | string, id: number | string) =>
    trees.findIndex((other, at) => other === tree && list('nodes_nodeids')[at] === id);
  let sum = 0;
  for (const tree of new Set(trees)) {
    let at = place(tree, 0);
    while (list('nodes_modes')[at] !== 'LEAF') {
      const isTrue = row[Number(list('nodes_featureids')[at])]! <= Number(list('nodes_values')[at]);
      at = place(tree, list(isTrue ? 'nodes_truenodeids' : 'nodes_falsenodeids')[at]!);
    }
    const leaf = list('class_treeids').findIndex(
      (other, i) => other === tree && list('class_nodeids')[i] === list('nodes_nodeids')[at],
    );
    sum += Number(list('class_weights')[leaf]);
  }
  return [1 - sum, sum];
}

describe('the broken models', () => {
  test.each([
    ['unknownOperator', cast.unknownOperator(), 'No Op registered for Transmogrify'],
    ['opset99', cast.opset99(), 'till opset'],
    ['ir99', cast.ir99(), 'Unsupported model IR version: 99'],
    ['bfloat16', cast.bfloat16(), 'Unsupported data type: 16'],
    ['float8', cast.float8(), 'Unsupported data type: 17'],
    ['hugeInitializer', cast.hugeInitializer(), 'exceeds the 2147483648 byte limit'],
    ['externalData', cast.externalData('absent.bin'), 'External data path'],
  ])('the engine refuses %s', async (_name, model, reason) => {
    await expect(load(model)).rejects.toThrow(reason);
  });

  /** How a process ended that loaded the model and ran one row. */
  function fate(
    model: Uint8Array,
    timeout: number,
    x = 0,
  ): { signal: NodeJS.Signals | null; printed: string } {
    const script = `
      const { InferenceSession, Tensor } = require('onnxruntime-node');
      InferenceSession.create(require('node:fs').readFileSync(0)).then((session) => {
        require('node:fs').writeSync(1, 'loaded');
        return session.run({ X: new Tensor('float32', Float32Array.of(${x}), [1, 1]) });
      }).then(() => process.stdout.write(' ran'));`;
    const child = spawnSync(process.execPath, ['-e', script], {
      input: model,
      timeout,
      killSignal: 'SIGKILL',
    });
    return { signal: child.signal, printed: child.stdout.toString() };
  }

  test('endlessLoop loads, and its run never ends', () => {
    expect(fate(cast.endlessLoop(), 2_000)).toEqual({ signal: 'SIGKILL', printed: 'loaded' });
  });

  test('cyclicTree loads, answers some rows, and never ends the run of others', () => {
    expect(fate(cast.cyclicTree(), 15_000, 1)).toEqual({ signal: null, printed: 'loaded ran' });
    expect(fate(cast.cyclicTree(), 2_000, 0)).toEqual({ signal: 'SIGKILL', printed: 'loaded' });
  });

  test('deepTree of 100,000 levels kills the process that loads it', () => {
    expect(fate(cast.deepTree(100_000), 15_000)).toEqual({ signal: 'SIGSEGV', printed: '' });
  });

  test('emptyOptional loads, and kills the process that fetches its output', () => {
    expect(fate(cast.emptyOptional(), 15_000)).toEqual({ signal: 'SIGSEGV', printed: 'loaded' });
  });
});

test.each([
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65_504, 0x7bff],
  [65_519, 0x7bff],
  [65_520, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [2 ** -14, 0x0400],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [0.1, 0x2e66],
])('toFloat16(%d) is IEEE 754 half precision', (value, bits) => {
  expect(toFloat16(value)).toBe(bits);
});
