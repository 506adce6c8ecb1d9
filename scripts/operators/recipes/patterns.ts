import { elementTypes } from '../../../src/inference/tensors/tensor.js';
import { initializer, int, ints, node, string, tensor } from '../../../test/helpers/onnx.js';
import { of, type Recipe, x } from '../recipe.js';

const f32 = (count: number) => [new Array<'float32'>(count).fill('float32')];
const constant = (name: string, value: number) =>
  node('Constant', [], [name], { value: tensor(initializer(name, 'float32', [], [value])) });
const activations = [
  'Relu',
  'Sigmoid',
  'Tanh',
  'LeakyRelu',
  'HardSigmoid',
  'Elu',
  'Selu',
  'Softplus',
  'Softsign',
  'ThresholdedRelu',
];

/** A chain of operators: each takes the output of the previous one. */
function chain(
  pattern: string,
  inputs: Recipe['inputs'],
  first: string,
  then: string,
  constants: readonly number[],
  attributes: Recipe['attributes'] = [{}],
): Recipe {
  return {
    op: first,
    pattern,
    inputs,
    constants: [constants],
    attributes,
    types: f32(inputs.length),
    nodes: ({ inputs: names, output, attributes: set }) => [
      node(first, names, ['middle'], set),
      node(then, ['middle'], [output]),
    ],
  };
}

const image = x(1, 16, 6, 6);
const filters = x(16, 16, 3, 3);

/** Small graphs that the engine fuses into one CPU kernel: the judge sees the nodes, but the engine runs the kernel. */
export const patterns: readonly Recipe[] = [
  ...activations.flatMap((it) => [
    chain(`Gemm ${it}`, [x(2, 3), x(3, 4), x(4)], 'Gemm', it, [1, 2]),
    chain(`Conv ${it}`, [image, filters, x(16)], 'Conv', it, [1, 2], [{ pads: [1, 1, 1, 1] }]),
  ]),
  // NCHWc: blocks of 8 or 16 channels.
  chain(
    'Conv MaxPool',
    [image, filters, x(16)],
    'Conv',
    'GlobalAveragePool',
    [1, 2],
    [{ pads: [1, 1, 1, 1] }, { group: 1, strides: [2, 2] }],
  ),
  {
    op: 'Conv',
    pattern: 'Conv Add Relu',
    inputs: [image, filters, x(16), image],
    constants: [[1, 2]],
    types: f32(4),
    nodes: ({ inputs: [a = '', b = '', c = '', d = ''], output }) => [
      node('Conv', [a, b, c], ['conv'], { pads: ints([1, 1, 1, 1]) }),
      node('Add', ['conv', d], ['sum']),
      node('Relu', ['sum'], [output]),
    ],
  },
  {
    op: 'Conv',
    pattern: 'Conv BatchNormalization',
    inputs: [image, filters, of([16], [1])],
    constants: [[1, 2]],
    types: f32(3),
    nodes: ({ inputs: [a = '', b = '', c = ''], output }) => [
      node('Conv', [a, b], ['conv'], { pads: ints([1, 1, 1, 1]) }),
      node('BatchNormalization', ['conv', c, c, c, c], [output]),
    ],
  },
  {
    op: 'Conv',
    pattern: 'Conv MaxPool Concat',
    inputs: [image, filters],
    constants: [[1]],
    types: f32(2),
    nodes: ({ inputs: [a = '', b = ''], output }) => [
      node('Conv', [a, b], ['conv']),
      node('MaxPool', ['conv'], ['pool'], { kernel_shape: ints([2, 2]) }),
      node('Concat', ['pool', 'pool'], [output], { axis: int(1) }),
    ],
  },
  {
    op: 'Conv',
    pattern: 'Pad Conv',
    inputs: [image, filters],
    constants: [[1]],
    types: f32(2),
    nodes: ({ inputs: [a = '', b = ''], output }) => [
      node('Constant', [], ['pads'], {
        value: tensor(initializer('pads', 'int64', [8], [0, 0, 1, 1, 0, 0, 1, 1])),
      }),
      node('Pad', [a, 'pads'], ['padded']),
      node('Conv', ['padded', b], [output]),
    ],
  },
  {
    op: 'MatMul',
    pattern: 'Transpose MatMul',
    inputs: [x(3, 2), x(3, 4)],
    constants: [[], [1]],
    types: f32(2),
    nodes: ({ inputs: [a = '', b = ''], output }) => [
      node('Transpose', [a], ['t']),
      node('MatMul', ['t', b], [output]),
    ],
  },
  {
    op: 'MatMul',
    pattern: 'MatMul Mul (scaled)',
    inputs: [x(2, 3), x(3, 4)],
    constants: [[], [1]],
    types: f32(2),
    nodes: ({ inputs: [a = '', b = ''], output }) => [
      constant('s', 0.125),
      node('MatMul', [a, b], ['m']),
      node('Mul', ['m', 's'], [output]),
    ],
  },
  {
    op: 'MatMul',
    pattern: 'MatMul Add',
    inputs: [x(2, 3), x(3, 4), x(4)],
    constants: [[1, 2]],
    types: f32(3),
    nodes: ({ inputs: [a = '', b = '', c = ''], output }) => [
      node('MatMul', [a, b], ['m']),
      node('Add', ['m', c], [output]),
    ],
  },
  {
    op: 'Erf',
    pattern: 'Gelu',
    inputs: [x(2, 4)],
    types: f32(1),
    nodes: ({ inputs: [a = ''], output }) => gelu(a, output),
  },
  {
    op: 'Erf',
    pattern: 'BiasGelu',
    inputs: [x(2, 4), x(4)],
    constants: [[1]],
    types: f32(2),
    nodes: ({ inputs: [a = '', b = ''], output }) => [
      node('Add', [a, b], ['biased']),
      ...gelu('biased', output),
    ],
  },
  {
    op: 'Sigmoid',
    pattern: 'QuickGelu',
    inputs: [x(2, 4)],
    types: f32(1),
    nodes: ({ inputs: [a = ''], output }) => [
      constant('s', 1.702),
      node('Mul', [a, 's'], ['m']),
      node('Sigmoid', ['m'], ['g']),
      node('Mul', [a, 'g'], [output]),
    ],
  },
  {
    op: 'Tanh',
    pattern: 'FastGelu',
    inputs: [x(2, 4)],
    types: f32(1),
    nodes: ({ inputs: [a = ''], output }) => fastGelu(a, output),
  },
  {
    op: 'ReduceMean',
    pattern: 'LayerNormalization',
    inputs: [x(2, 3, 4), of([4], [1]), x(4)],
    constants: [[1, 2]],
    types: f32(3),
    nodes: ({ inputs: [a = '', b = '', c = ''], output }) => layerNorm(a, b, c, output),
  },
  {
    op: 'LayerNormalization',
    pattern: 'SkipLayerNormalization',
    inputs: [x(2, 3, 4), x(2, 3, 4), of([4], [1]), x(4)],
    constants: [[2, 3]],
    types: f32(4),
    nodes: ({ inputs: [a = '', b = '', c = '', d = ''], output }) => [
      node('Add', [a, b], ['sum']),
      node('LayerNormalization', ['sum', c, d], [output]),
    ],
  },
  {
    op: 'Pow',
    pattern: 'SimplifiedLayerNormalization',
    inputs: [x(2, 3, 4), of([4], [1])],
    constants: [[1]],
    types: f32(2),
    nodes: ({ inputs: [a = '', b = ''], output }) => [
      constant('two', 2),
      constant('e', 1e-5),
      node('Pow', [a, 'two'], ['p']),
      node('ReduceMean', ['p'], ['v'], { axes: ints([-1]) }),
      node('Add', ['v', 'e'], ['ve']),
      node('Sqrt', ['ve'], ['s']),
      node('Div', [a, 's'], ['n']),
      node('Mul', ['n', b], [output]),
    ],
  },
  {
    op: 'MatMulInteger',
    pattern: 'DynamicQuantizeMatMul',
    inputs: [x(2, 3), of([3, 4], [1, 2]), of([], [0.5]), of([], [0])],
    constants: [[1, 2, 3]],
    types: [
      ['float32', 'int8', 'float32', 'int8'],
      ['float32', 'uint8', 'float32', 'uint8'],
    ],
    nodes: ({ inputs: [a = '', b = '', c = '', d = ''], output }) => [
      node('DynamicQuantizeLinear', [a], ['q', 'qs', 'qz']),
      node('MatMulInteger', ['q', b, 'qz', d], ['i']),
      node('Cast', ['i'], ['f'], { to: int(1) }),
      node('Mul', ['qs', c], ['s']),
      node('Mul', ['f', 's'], [output]),
    ],
  },
  {
    op: 'QuantizeLinear',
    pattern: 'QDQ MatMul',
    inputs: [x(2, 3), of([3, 4], [1, 2]), of([], [0.5]), of([], [0])],
    constants: [[1, 2, 3]],
    types: [
      ['float32', 'int8', 'float32', 'int8'],
      ['float32', 'uint8', 'float32', 'uint8'],
    ],
    nodes: ({ inputs, output }) => qdq('MatMul', inputs, output),
  },
  {
    op: 'QuantizeLinear',
    pattern: 'QDQ Conv',
    inputs: [x(1, 2, 5, 5), of([3, 2, 3, 3], [1, 2]), of([], [0.5]), of([], [0])],
    constants: [[1, 2, 3]],
    types: [
      ['float32', 'int8', 'float32', 'int8'],
      ['float32', 'uint8', 'float32', 'uint8'],
    ],
    nodes: ({ inputs, output }) => qdq('Conv', inputs, output),
  },
  ...[
    'Add',
    'Mul',
    'Concat',
    'Softmax',
    'Sigmoid',
    'Relu',
    'AveragePool',
    'GlobalAveragePool',
    'LeakyRelu',
    'ReduceMean',
    'Resize',
  ].map(
    (it): Recipe => ({
      op: 'QuantizeLinear',
      pattern: `QDQ ${it}`,
      inputs: [x(1, 2, 4, 4), of([], [0.5]), of([], [0])],
      constants: [[1, 2]],
      types: [
        ['float32', 'float32', 'uint8'],
        ['float32', 'float32', 'int8'],
      ],
      nodes: ({ inputs: [a = '', s = '', z = ''], output }) => [
        node('QuantizeLinear', [a, s, z], ['q']),
        node('DequantizeLinear', ['q', s, z], ['d']),
        ...(it === 'Resize'
          ? [
              node('Constant', [], ['scales'], {
                value: tensor(initializer('scales', 'float32', [4], [1, 1, 2, 2])),
              }),
            ]
          : []),
        node(
          it,
          it === 'Resize' ? ['d', '', 'scales'] : ['Add', 'Mul', 'Concat'].includes(it) ? ['d', 'd'] : ['d'],
          ['r'],
          it === 'Concat'
            ? { axis: int(1) }
            : it === 'AveragePool'
              ? { kernel_shape: ints([2, 2]) }
              : it === 'Resize'
                ? { mode: string('linear') }
                : {},
        ),
        node('QuantizeLinear', ['r', s, z], ['rq']),
        node('DequantizeLinear', ['rq', s, z], [output]),
      ],
    }),
  ),
  ...['Add', 'Mul', 'Max'].map(
    (it): Recipe => ({
      op: it,
      pattern: `${it} of the same value`,
      inputs: [x(2, 3)],
      types: elementTypes.map((type) => [type]),
      nodes: ({ inputs: [a = ''], output }) => [node(it, [a, a], [output])],
    }),
  ),
  {
    op: 'Gather',
    pattern: 'Gather to Split',
    inputs: [x(2, 3)],
    types: f32(1),
    nodes: ({ inputs: [a = ''], output }) => [
      ...[0, 1, 2].flatMap((i) => [
        node('Constant', [], [`i${i}`], { value: tensor(initializer('i', 'int64', [], [i])) }),
        node('Gather', [a, `i${i}`], [`g${i}`], { axis: int(1) }),
      ]),
      node('Sum', ['g0', 'g1', 'g2'], [output]),
    ],
  },
  {
    op: 'Softmax',
    pattern: 'attention',
    inputs: [x(1, 2, 3, 4), x(1, 2, 3, 4), x(1, 2, 3, 4), of([1, 1, 1, 3], [0, -1e4])],
    types: f32(4),
    constants: [[], [3]],
    nodes: ({ inputs: [q = '', k = '', v = '', mask = ''], output }) => [
      constant('s', 0.5),
      node('Transpose', [k], ['kt'], { perm: ints([0, 1, 3, 2]) }),
      node('MatMul', [q, 'kt'], ['qk']),
      node('Mul', ['qk', 's'], ['sc']),
      node('Add', ['sc', mask], ['m']),
      node('Softmax', ['m'], ['p'], { axis: int(-1) }),
      node('MatMul', ['p', v], [output]),
    ],
  },
];

function gelu(from: string, to: string) {
  return [
    constant('r', Math.SQRT2),
    constant('one', 1),
    constant('half', 0.5),
    node('Div', [from, 'r'], ['gd']),
    node('Erf', ['gd'], ['ge']),
    node('Add', ['ge', 'one'], ['ga']),
    node('Mul', [from, 'ga'], ['gm']),
    node('Mul', ['gm', 'half'], [to]),
  ];
}

function fastGelu(a: string, output: string) {
  return [
    constant('three', 3),
    constant('c', 0.044715),
    constant('r', 0.7978845608),
    constant('one', 1),
    constant('half', 0.5),
    node('Pow', [a, 'three'], ['p']),
    node('Mul', ['p', 'c'], ['pc']),
    node('Add', [a, 'pc'], ['in']),
    node('Mul', ['in', 'r'], ['sc']),
    node('Tanh', ['sc'], ['th']),
    node('Add', ['th', 'one'], ['t1']),
    node('Mul', [a, 't1'], ['m']),
    node('Mul', ['m', 'half'], [output]),
  ];
}

function layerNorm(a: string, weight: string, bias: string, output: string) {
  const last = { axes: ints([-1]) };
  return [
    constant('two', 2),
    constant('e', 1e-5),
    node('ReduceMean', [a], ['mean'], last),
    node('Sub', [a, 'mean'], ['d']),
    node('Pow', ['d', 'two'], ['p']),
    node('ReduceMean', ['p'], ['v'], last),
    node('Add', ['v', 'e'], ['ve']),
    node('Sqrt', ['ve'], ['s']),
    node('Div', ['d', 's'], ['n']),
    node('Mul', ['n', weight], ['w']),
    node('Add', ['w', bias], [output]),
  ];
}

function qdq(op: string, [a = '', w = '', s = '', z = '']: readonly string[], output: string) {
  return [
    node('QuantizeLinear', [a, s, z], ['q']),
    node('DequantizeLinear', ['q', s, z], ['d']),
    node('DequantizeLinear', [w, s, z], ['wd']),
    node(op, ['d', 'wd'], ['r']),
    node('QuantizeLinear', ['r', s, z], ['rq']),
    node('DequantizeLinear', ['rq', s, z], [output]),
  ];
}
