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

/** Judges a graph from X, and perhaps other inputs, to Y, as for a tensor task. */
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
const byRequest = (operator: string) => `the output size of ${operator} depends on the value of an input`;
const uneven = (operator: string) =>
  `the output size of ${operator} does not simply grow with the number of rows`;

describe('the table of operators', () => {
  test('belongs to the installed engine', () => {
    const { version } = JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8')) as {
      version: string;
    };
    expect(
      table.engine,
      'the engine has another version: run `npm run operators`, which writes the table again',
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
    'does not list %s of opset %i with %j, which ended the process or was not tried',
    (operator, opset, types) => {
      expect(isListed(operator, opset, ...types)).toBe(false);
    },
  );

  test.each([
    ['TopK', 11],
    ['DFT', 20],
  ])('says that %s of opset %i crashes on an empty tensor', (operator, opset) => {
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
  ])('lists %s of opset %i with %j', (operator, opset, types) => {
    expect(findProven(operator, opset).some((entry) => findOutputs(entry, types) !== undefined)).toBe(true);
  });

  test('lists all operators that the exporters write', () => {
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

describe('a graph runs inline', () => {
  const rows = { inputs: [input('float32', ['N', 3])] };
  test.each<[string, Encoded<'node'>[], Partial<ModelSource>]>([
    [
      'if it is a small network',
      [node('Gemm', ['X', 'W'], ['h']), node('Relu', ['h'], ['r']), node('Softmax', ['r'], ['Y'])],
      { ...rows, initializers: [initializer('W', 'float32', [3, 2], [1, 2, 3, 4, 5, 6])] },
    ],
    [
      'if it divides integers by a constant',
      [node('Div', ['X', 'd'], ['Y'])],
      { inputs: [input('int64', ['N', 3])], initializers: [int64('d', 7)] },
    ],
    [
      'if it computes a shape from the shape of its input',
      [
        node('Shape', ['X'], ['s']),
        node('ConstantOfShape', ['s'], ['zeros']),
        node('Add', ['X', 'zeros'], ['Y']),
      ],
      rows,
    ],
    [
      'if it takes the last column',
      [node('Slice', ['X', 'from', 'to', 'axis'], ['Y'])],
      {
        initializers: [
          int64('from', -1),
          initializer('to', 'int64', [1], [2n ** 63n - 1n]),
          int64('axis', 1),
        ],
      },
    ],
    ['if its nodes are in another order', [node('Relu', ['h'], ['Y']), node('Abs', ['X'], ['h'])], rows],
    [
      'if it looks up categories',
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
      'with an operator that was not tried',
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
      'with an attribute that was not tried',
      [node('Einsum', ['X', 'X'], ['Y'], { equation: string('ij,ik->jk') })],
      {},
      `Einsum of float32 ${notListed}`,
    ],
    [
      'with a division by integers of a request',
      [node('Div', ['X', 'n'], ['Y'])],
      { inputs: [input('int64', ['N', 3]), input('int64', [1], 'n')] },
      "Div of int64 is safe on the server's thread only with a constant divisor other than 0 and -1",
    ],
    [
      'with a division of integers by -1',
      [node('Mod', ['X', 'd'], ['Y'])],
      { inputs: [input('int64', ['N', 3])], initializers: [int64('d', 3, -1, 2)] },
      "Mod of int64 is safe on the server's thread only with a constant divisor other than 0 and -1",
    ],
    [
      'with a subgraph',
      [node('If', ['X'], ['Y'], { then_branch: graph({}), else_branch: graph({}) })],
      { inputs: [input('bool', [])] },
      `If ${notListed}`,
    ],
    [
      'with a window whose length is an input',
      [node('HannWindow', ['X'], ['Y'])],
      { inputs: [input('int64', [])] },
      byRequest('HannWindow'),
    ],
    [
      'with a transform whose length is an input',
      [node('DFT', ['X', 'n'], ['Y'])],
      { ...anyFloat, inputs: [input('float32', ['N', 8, 1]), input('int64', [], 'n')], opset: 20 },
      byRequest('DFT'),
    ],
    [
      'with a constant whose size is an input',
      [node('ConstantOfShape', ['n'], ['Y'])],
      anyFloat,
      byRequest('ConstantOfShape'),
    ],
    [
      'with a slice whose end is an input',
      [node('Slice', ['X', 'zero', 'n'], ['Y'])],
      { ...anyFloat, initializers: [int64('zero', 0)] },
      byRequest('Slice'),
    ],
    ['with a shape that is an input', [node('Reshape', ['X', 'n'], ['Y'])], anyFloat, byRequest('Reshape')],
    [
      'with an output element for each input element other than 0',
      [node('NonZero', ['X'], ['Y'])],
      {},
      byRequest('NonZero'),
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
      uneven('ConstantOfShape'),
    ],
    [
      'with a size that has a negative factor',
      [shapeOfX, node('Mul', ['s', 'k'], ['size']), node('ConstantOfShape', ['size'], ['Y'])],
      { initializers: [int64('k', -1)] },
      uneven('ConstantOfShape'),
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
      uneven('ConstantOfShape'),
    ],
    [
      'with a division by a constant that a cast turns into -1',
      [node('Cast', ['d'], ['small'], { to: int(6) }), node('Div', ['X', 'small'], ['Y'])],
      {
        inputs: [input('int32', ['N', 3])],
        initializers: [initializer('d', 'int64', [1], [2n ** 32n - 1n])],
      },
      "Div of int32 is safe on the server's thread only with a constant divisor other than 0 and -1",
    ],
    [
      'with a dimension per row',
      [
        shapeOfX,
        node('Gather', ['s', 'first'], ['n']),
        node('ConstantOfShape', ['n'], ['shape'], { value: tensor(initializer('v', 'int64', [1], [1])) }),
        node('ConstantOfShape', ['shape'], ['Y']),
      ],
      { initializers: [int64('first', 0)] },
      uneven('ConstantOfShape'),
    ],
    [
      'with a slice that shrinks with more rows',
      [node('Slice', ['X', 'from', 'to'], ['Y'])],
      { initializers: [int64('from', -9), int64('to', 5)] },
      uneven('Slice'),
    ],
    [
      'with a free dimension beyond the first',
      [node('Relu', ['X'], ['Y'])],
      { inputs: [input('float32', ['N', 'T', 3])] },
      'the dimension 1 of the input X is free: only the first one may be',
    ],
    [
      'without a declared rank',
      [node('Relu', ['X'], ['Y'])],
      { inputs: [tensorValue('X', 'float32')] },
      'the number of dimensions of the input X is free',
    ],
    [
      'with an operator that repeats text',
      [node('Expand', ['X', 'size'], ['Y'])],
      { inputs: [input('string', ['N', 1])], initializers: [int64('size', 1, 1_000)] },
      'Expand may repeat a text of any length',
    ],
    [
      'with a column of text that is picked several times',
      [node('Gather', ['X', 'places'], ['Y'], { axis: int(1) })],
      { inputs: [input('string', ['N', 1])], initializers: [int64('places', 0, 0, 0)] },
      'Gather may repeat a text of any length',
    ],
    [
      'with text that is doubled several times',
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

  test('with a function of the model itself, even under the name of a listed operator', () => {
    const body = { name: 'G', inputs: ['n'], outputs: ['r'], nodes: [node('Range', ['n', 'n', 'n'], ['r'])] };
    const inputs = [input('int64', [])];
    expect(
      judge([node('mine:G', ['X'], ['Y'])], {
        inputs,
        opsets: { mine: 1 },
        functions: [{ ...body, domain: 'mine' }],
      }),
    ).toBe('mine:G is a function of the model itself');
    expect(judge([node('Abs', ['X'], ['Y'])], { functions: [{ ...body, name: 'Abs', domain: '' }] })).toBe(
      'Abs is a function of the model itself',
    );
  });

  test('with a random size, unlike a constant one', () => {
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

test('with widths that the manifest fixes, only the number of rows is free', () => {
  const source = {
    inputs: [input('float32', [undefined, undefined])],
    outputs: [tensorValue('Y', 'float32')],
    nodes: [node('Relu', ['X'], ['Y'])],
  };
  const read = readGraph(model(source));
  expect(judgeGraph(read, { freeInputs: 'rows' }).unproven).toBeUndefined();
  expect(judgeGraph(read, { freeInputs: 'declared' }).unproven).toBe(
    'the dimension 1 of the input X is free: only the first one may be',
  );
});

describe('a graph whose values are less safe than they look is isolated', () => {
  const divided = (divisor: readonly Encoded<'node'>[], rest: Partial<ModelSource> = {}) =>
    judge([...divisor, node('Div', ['X', 'd'], ['Y'])], { inputs: [input('int32', ['N', 1])], ...rest });

  test('an int32 that is written with more bits has the low 32 of them: -1', () => {
    // Written as a varint of five bytes, 4294967295.
    const constants = [initializer('d', 'int32', [1], [4_294_967_295])];
    expect(divided([], { initializers: constants })).toMatch(/other than 0 and -1/);
  });

  test('a Constant with two values may have either', () => {
    const attributes = { value_ints: ints([-1]), value: tensor(initializer('v', 'int32', [1], [2])) };
    expect(divided([node('Constant', [], ['d'], attributes)])).toBeDefined();
  });

  test('a Squeeze without axes removes the first dimension if there is one row', () => {
    const nodes = [node('Squeeze', ['X'], ['Y'])];
    expect(judge(nodes)).toBe('Squeeze names no axes');
    expect(
      judge([node('Squeeze', ['X', 'axes'], ['Y'])], { initializers: [int64('axes', 1)] }),
    ).toBeUndefined();
  });

  test('a size that is looked up by the number of rows may be any number', () => {
    const table = int64('table', 1, 1, 1, 300_000_000);
    const nodes = [
      node('Shape', ['X'], ['shape']),
      node('Gather', ['shape', 'zero'], ['rows']),
      node('Gather', ['table', 'rows'], ['size']),
      node('ConstantOfShape', ['size'], ['Y']),
    ];
    expect(judge(nodes, { initializers: [table, int64('zero', 0)] })).toMatch(/does not simply grow/);
  });

  test('a -1 in a shape is safe for a Reshape, and not in a product of sizes', () => {
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

  test('a pattern that is longer than any tried pattern', () => {
    const pattern = string(`a${' '.repeat(20_000)}*b`);
    const nodes = [node('RegexFullMatch', ['X'], ['Y'], { pattern })];
    expect(judge(nodes, { inputs: [input('string', ['N', 1])], opset: 20 })).toBe(
      'the attribute pattern of RegexFullMatch has a value that was not tried',
    );
  });
});
