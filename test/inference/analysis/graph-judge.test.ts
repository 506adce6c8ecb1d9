import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { judgeGraph } from '../../../src/inference/analysis/graph-judge.js';
import { findOutputs, findProven } from '../../../src/inference/analysis/operator-table.js';
import table from '../../../src/inference/analysis/proven-operators.json' with { type: 'json' };
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import {
  type Dimension,
  type ElementType,
  type Encoded,
  float,
  graph,
  initializer,
  int,
  ints,
  type ModelSource,
  model,
  node,
  string,
  tensor,
  tensorValue,
} from '../../helpers/onnx.js';
import exported from '../exported-operators.json' with { type: 'json' };

/** A graph of X and perhaps others to Y, judged as the graph of a tensor task. */
function judge(nodes: readonly Encoded<'node'>[], rest: Partial<ModelSource> = {}): string | undefined {
  const source = {
    inputs: [tensorValue('X', 'float32', ['N', 3])],
    outputs: [tensorValue('Y', 'float32')],
    nodes,
    ...rest,
  };
  return judgeGraph(readGraph(model(source)), { freeInputs: 'declared' }).unproven;
}

const input = (type: ElementType, shape: readonly Dimension[], name = 'X') => tensorValue(name, type, shape);
const int64 = (name: string, ...values: number[]) => initializer(name, 'int64', [values.length], values);
const notListed = "is not on the list of operators that are safe on the server's thread";

describe('the table of operators', () => {
  test('belongs to the engine that is installed', () => {
    const { version } = JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8')) as {
      version: string;
    };
    expect(
      table.engine,
      'the engine is another one: run `npm run operators`, which writes the table anew',
    ).toBe(version);
  });

  const isListed = (operator: string, opset: number, ...types: string[]) =>
    findProven(operator, opset).some(
      (entry) => entry.constant === undefined && findOutputs(entry, types) !== undefined,
    );

  test.each([
    ['Div', 14, ['int32', 'int32']],
    ['Div', 14, ['int64', 'int64']],
    ['Mod', 13, ['int32', 'int32']],
    ['Mod', 13, ['int64', 'int64']],
    ['Loop', 21, []],
    ['If', 21, []],
    ['Scan', 21, []],
  ])(
    'does not hold %s of opset %i with %j, which ended the process or was not tried',
    (operator, opset, types) => {
      expect(isListed(operator, opset, ...types)).toBe(false);
    },
  );

  test.each([
    ['TopK', 11],
    ['DFT', 20],
  ])('says that %s of opset %i dies of an empty tensor', (operator, opset) => {
    const entries = findProven(operator, opset);
    expect(entries).not.toEqual([]);
    expect(entries.every(({ dies }) => dies?.includes('empty'))).toBe(true);
  });

  test.each([
    ['Add', 14, ['float32', 'float32']],
    ['Gemm', 13, ['float32', 'float32', 'float32']],
    ['Concat', 13, ['float32', 'float32', 'float32', 'float32', 'float32']],
    ['Clip', 13, ['float32', undefined, 'float32']],
    ['ai.onnx.ml:TreeEnsembleClassifier', 3, ['float64']],
  ])('holds %s of opset %i with %j', (operator, opset, types) => {
    expect(findProven(operator, opset).some((entry) => findOutputs(entry, types) !== undefined)).toBe(true);
  });

  test('holds whatever exporters write, but for what is named', () => {
    const missing = Object.entries(exported).flatMap(([exporter, operators]) =>
      Object.entries(operators as Record<string, Record<string, number[]>>).flatMap(([operator, uses]) =>
        Object.entries(uses).flatMap(([types, opsets]) =>
          opsets
            .filter((opset) => {
              const list = types === '' ? [] : types.split(' ').map((it) => (it === '-' ? undefined : it));
              return !findProven(operator, opset).some((entry) => findOutputs(entry, list) !== undefined);
            })
            .map((opset) => `${exporter}: ${operator} ${opset} ${types}`),
        ),
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe('a graph may run inline', () => {
  const rows = { inputs: [input('float32', ['N', 3])] };
  test.each<[string, Encoded<'node'>[], Partial<ModelSource>]>([
    [
      'of a network',
      [node('Gemm', ['X', 'W'], ['h']), node('Relu', ['h'], ['r']), node('Softmax', ['r'], ['Y'])],
      { ...rows, initializers: [initializer('W', 'float32', [3, 2], [1, 2, 3, 4, 5, 6])] },
    ],
    [
      'that divides integers by a constant',
      [node('Div', ['X', 'd'], ['Y'])],
      { inputs: [input('int64', ['N', 3])], initializers: [int64('d', 7)] },
    ],
    [
      'that makes a shape out of the shape of its input',
      [
        node('Shape', ['X'], ['s']),
        node('ConstantOfShape', ['s'], ['zeros']),
        node('Add', ['X', 'zeros'], ['Y']),
      ],
      rows,
    ],
    [
      'that slices off the last column',
      [node('Slice', ['X', 'from', 'to', 'axis'], ['Y'])],
      {
        initializers: [
          int64('from', -1),
          initializer('to', 'int64', [1], [2n ** 63n - 1n]),
          int64('axis', 1),
        ],
      },
    ],
    ['whose nodes stand in another order', [node('Relu', ['h'], ['Y']), node('Abs', ['X'], ['h'])], rows],
    [
      'that looks up text',
      [node('ai.onnx.ml:OneHotEncoder', ['X'], ['Y'], { cats_int64s: ints([1]), zeros: int(1) })],
      { inputs: [input('int64', ['N', 1])] },
    ],
  ])('%s', (_name, nodes, rest) => {
    expect(judge(nodes, rest)).toBeUndefined();
  });

  test.each(['breast-cancer/1.0.0', 'churn/1', 'credit-risk/20261115_143000', 'diabetes/1', 'digits/1'])(
    'models/%s',
    (path) => {
      const bytes = readFileSync(`models/${path}/model.onnx`);
      expect(judgeGraph(readGraph(bytes), { freeInputs: 'rows' }).unproven).toBeUndefined();
    },
  );
});

describe('a graph is isolated', () => {
  const shapeOfX = node('Shape', ['X'], ['s']);
  const anyFloat = { inputs: [input('float32', ['N', 3]), input('int64', [1], 'n')] };

  test.each<[string, Encoded<'node'>[], Partial<ModelSource>, string]>([
    [
      'with an operator that nobody tried',
      [node('Det', ['X'], ['h']), node('mine:Op', ['h'], ['Y'])],
      { inputs: [input('float32', ['N', 3, 3])], opsets: { mine: 1 } },
      `mine:Op ${notListed}`,
    ],
    [
      'with an operator of a type that the engine lacks',
      [node('Gemm', ['X', 'X'], ['Y'])],
      { inputs: [input('bfloat16', ['N', 3])] },
      `Gemm of bfloat16 ${notListed}`,
    ],
    [
      'with an opset that is newer than the table',
      [node('Relu', ['X'], ['Y'])],
      { opset: 99 },
      `Relu ${notListed}`,
    ],
    [
      'with an attribute that nobody tried',
      [node('Einsum', ['X', 'X'], ['Y'], { equation: string('ij,ik->jk') })],
      {},
      `Einsum of float32 ${notListed}`,
    ],
    [
      'that divides integers of a request',
      [node('Div', ['X', 'n'], ['Y'])],
      { inputs: [input('int64', ['N', 3]), input('int64', [1], 'n')] },
      "Div of int64 is safe on the server's thread only by a constant that is neither 0 nor -1",
    ],
    [
      'that divides integers by -1',
      [node('Mod', ['X', 'd'], ['Y'])],
      { inputs: [input('int64', ['N', 3])], initializers: [int64('d', 3, -1, 2)] },
      "Mod of int64 is safe on the server's thread only by a constant that is neither 0 nor -1",
    ],
    [
      'with a subgraph',
      [node('If', ['X'], ['Y'], { then_branch: graph({}), else_branch: graph({}) })],
      { inputs: [input('bool', [])] },
      `If ${notListed}`,
    ],
    [
      'with a window of a length that a request says',
      [node('HannWindow', ['X'], ['Y'])],
      { inputs: [input('int64', [])] },
      'the size of what HannWindow makes follows from the value of an input',
    ],
    [
      'with a transform of a length that a request says',
      [node('DFT', ['X', 'n'], ['Y'])],
      { ...anyFloat, inputs: [input('float32', ['N', 8, 1]), input('int64', [], 'n')], opset: 20 },
      'the size of what DFT makes follows from the value of an input',
    ],
    [
      'with a constant as large as a request says',
      [node('ConstantOfShape', ['n'], ['Y'])],
      anyFloat,
      'the size of what ConstantOfShape makes follows from the value of an input',
    ],
    [
      'with a slice as long as a request says',
      [node('Slice', ['X', 'zero', 'n'], ['Y'])],
      { ...anyFloat, initializers: [int64('zero', 0)] },
      'the size of what Slice makes follows from the value of an input',
    ],
    [
      'with a shape that a request says',
      [node('Reshape', ['X', 'n'], ['Y'])],
      anyFloat,
      'the size of what Reshape makes follows from the value of an input',
    ],
    [
      'with as many elements as are not 0',
      [node('NonZero', ['X'], ['Y'])],
      {},
      'the size of what NonZero makes follows from the value of an input',
    ],
    [
      'with a size that falls with the number of rows',
      [
        shapeOfX,
        node('Neg', ['s'], ['m']),
        node('Add', ['m', 'k'], ['size']),
        node('ConstantOfShape', ['size'], ['Y']),
      ],
      { initializers: [int64('k', 1_000)] },
      'the size of what ConstantOfShape makes does not simply grow with the number of rows',
    ],
    [
      'with a size that falls by a negative factor',
      [shapeOfX, node('Mul', ['s', 'k'], ['size']), node('ConstantOfShape', ['size'], ['Y'])],
      { initializers: [int64('k', -1)] },
      'the size of what ConstantOfShape makes does not simply grow with the number of rows',
    ],
    [
      'with a size that wraps at 128 rows',
      [
        shapeOfX,
        node('Cast', ['s'], ['small'], { to: int(3) }),
        node('Cast', ['small'], ['n'], { to: int(7) }),
        node('ConstantOfShape', ['n'], ['Y']),
      ],
      {},
      'the size of what ConstantOfShape makes does not simply grow with the number of rows',
    ],
    [
      'that divides by a constant which a cast turns into -1',
      [node('Cast', ['d'], ['small'], { to: int(6) }), node('Div', ['X', 'small'], ['Y'])],
      {
        inputs: [input('int32', ['N', 3])],
        initializers: [initializer('d', 'int64', [1], [2n ** 32n - 1n])],
      },
      "Div of int32 is safe on the server's thread only by a constant that is neither 0 nor -1",
    ],
    [
      'with as many dimensions as there are rows',
      [
        shapeOfX,
        node('Gather', ['s', 'first'], ['n']),
        node('ConstantOfShape', ['n'], ['shape'], { value: tensor(initializer('v', 'int64', [1], [1])) }),
        node('ConstantOfShape', ['shape'], ['Y']),
      ],
      { initializers: [int64('first', 0)] },
      'the size of what ConstantOfShape makes does not simply grow with the number of rows',
    ],
    [
      'with a slice that shrinks as rows are added',
      [node('Slice', ['X', 'from', 'to'], ['Y'])],
      { initializers: [int64('from', -9), int64('to', 5)] },
      'the size of what Slice makes does not simply grow with the number of rows',
    ],
    [
      'with a free dimension beyond the first',
      [node('Relu', ['X'], ['Y'])],
      { inputs: [input('float32', ['N', 'T', 3])] },
      'the dimension 1 of the input X is free: only the first may be',
    ],
    [
      'without a declared rank',
      [node('Relu', ['X'], ['Y'])],
      { inputs: [tensorValue('X', 'float32')] },
      'the number of dimensions of the input X is free',
    ],
    [
      'that repeats text',
      [node('Expand', ['X', 'size'], ['Y'])],
      { inputs: [input('string', ['N', 1])], initializers: [int64('size', 1, 1_000)] },
      'Expand may repeat a text of any length',
    ],
    [
      'that picks a column of text again and again',
      [node('Gather', ['X', 'places'], ['Y'], { axis: int(1) })],
      { inputs: [input('string', ['N', 1])], initializers: [int64('places', 0, 0, 0)] },
      'Gather may repeat a text of any length',
    ],
    [
      'that doubles text often',
      Array.from({ length: 6 }, (_, i) =>
        node('Concat', [i === 0 ? 'X' : `h${i}`, i === 0 ? 'X' : `h${i}`], [i === 5 ? 'Y' : `h${i + 1}`], {
          axis: int(1),
        }),
      ),
      { inputs: [input('string', ['N', 1])] },
      'the graph copies a text of any length over 24 times',
    ],
  ])('%s', (_name, nodes, rest, reason) => {
    expect(judge(nodes, rest)).toBe(reason);
  });

  test('with a function that the model brings along, also under the name of a listed operator', () => {
    const body = { name: 'G', inputs: ['n'], outputs: ['r'], nodes: [node('Range', ['n', 'n', 'n'], ['r'])] };
    const inputs = [input('int64', [])];
    expect(
      judge([node('mine:G', ['X'], ['Y'])], {
        inputs,
        opsets: { mine: 1 },
        functions: [{ ...body, domain: 'mine' }],
      }),
    ).toBe('mine:G is a function that the model brings along');
    expect(judge([node('Abs', ['X'], ['Y'])], { functions: [{ ...body, name: 'Abs', domain: '' }] })).toBe(
      'Abs is a function that the model brings along',
    );
  });

  test('by what a constant of another kind does not excuse', () => {
    const value = tensor(initializer('v', 'int64', [1], [5]));
    const constant = node('Constant', [], ['n'], { value });
    const range = node('ConstantOfShape', ['n'], ['Y'], {
      value: tensor(initializer('v', 'float32', [1], [0])),
    });
    expect(judge([constant, range])).toBeUndefined();
    expect(
      judge([
        node('RandomUniform', [], ['r'], { shape: ints([1]), high: float(9) }),
        node('Cast', ['r'], ['n'], { to: int(7) }),
        range,
      ]),
    ).toBeDefined();
  });
});

test('free dimensions of features are the rows alone: the manifest fixes the widths', () => {
  const source = {
    inputs: [input('float32', [undefined, undefined])],
    outputs: [tensorValue('Y', 'float32')],
    nodes: [node('Relu', ['X'], ['Y'])],
  };
  const read = readGraph(model(source));
  expect(judgeGraph(read, { freeInputs: 'rows' }).unproven).toBeUndefined();
  expect(judgeGraph(read, { freeInputs: 'declared' }).unproven).toBe(
    'the dimension 1 of the input X is free: only the first may be',
  );
});

describe('what the engine reads otherwise than it seems is not safe', () => {
  const divided = (divisor: readonly Encoded<'node'>[], rest: Partial<ModelSource> = {}) =>
    judge([...divisor, node('Div', ['X', 'd'], ['Y'])], { inputs: [input('int32', ['N', 1])], ...rest });

  test('an int32 that is written with more bits is the low 32 of them: -1', () => {
    // As a varint of five bytes, 4294967295.
    const constants = [initializer('d', 'int32', [1], [4_294_967_295])];
    expect(divided([], { initializers: constants })).toMatch(/neither 0 nor -1/);
  });

  test('a Constant with two values is one of them', () => {
    const attributes = { value_ints: ints([-1]), value: tensor(initializer('v', 'int32', [1], [2])) };
    expect(divided([node('Constant', [], ['d'], attributes)])).toBeDefined();
  });

  test('a Squeeze without axes takes dimensions away where there is one row', () => {
    const nodes = [node('Squeeze', ['X'], ['Y'])];
    expect(judge(nodes)).toBe('Squeeze names no axes');
    expect(
      judge([node('Squeeze', ['X', 'axes'], ['Y'])], { initializers: [int64('axes', 1)] }),
    ).toBeUndefined();
  });

  test('a place in a table that follows from the number of rows may be any size', () => {
    const table = int64('table', 1, 1, 1, 300_000_000);
    const nodes = [
      node('Shape', ['X'], ['shape']),
      node('Gather', ['shape', 'zero'], ['rows']),
      node('Gather', ['table', 'rows'], ['size']),
      node('ConstantOfShape', ['size'], ['Y']),
    ];
    expect(judge(nodes, { initializers: [table, int64('zero', 0)] })).toMatch(/does not simply grow/);
  });

  test('a -1 among sizes is for a Reshape, and multiplies nothing', () => {
    const constants = { initializers: [int64('rest', -1), int64('zero', 0), int64('axes', 0)] };
    const target = [
      node('Shape', ['X'], ['shape']),
      node('Gather', ['shape', 'zero'], ['rows']),
      node('Concat', ['rows', 'rest'], ['target'], { axis: int(0) }),
    ];
    expect(judge([...target, node('Reshape', ['X', 'target'], ['Y'])], constants)).toBeUndefined();
    const product = [
      ...target,
      node('ReduceProd', ['target'], ['size'], { keepdims: int(1) }),
      node('ConstantOfShape', ['size'], ['Y']),
    ];
    expect(judge(product, constants)).toMatch(/does not simply grow/);
  });

  test('a pattern longer than any that was tried is none of them', () => {
    const pattern = string(`a${' '.repeat(20_000)}*b`);
    const nodes = [node('RegexFullMatch', ['X'], ['Y'], { pattern })];
    expect(judge(nodes, { inputs: [input('string', ['N', 1])], opset: 20 })).toBe(
      'the attribute pattern of RegexFullMatch is not one that was tried',
    );
  });
});
