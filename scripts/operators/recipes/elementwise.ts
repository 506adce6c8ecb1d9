import { type ElementType, elementTypes } from '../../../src/inference/tensors/tensor.js';
import { elementCode } from '../../../test/helpers/onnx/tensor.js';
import { float } from '../../../test/helpers/onnx.js';
import { of, type Recipe, x } from '../recipe.js';

const unary =
  'Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Cos Cosh Erf Exp Floor HardSwish Identity IsNaN Log Mish Neg Not Reciprocal Relu Round Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh';
const withAlpha = 'Elu LeakyRelu ThresholdedRelu Celu';
const binary =
  'Add Sub Mul Pow And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual BitwiseAnd BitwiseOr BitwiseXor PRelu StringConcat';
const variadic = 'Max Min Mean Sum';

/** A second operand that is the divisor of all rows: a constant of the graph, neither 0 nor -1. */
const divisors = { dims: [1, 3], values: [2, 3, 7] };

export const elementwise: readonly Recipe[] = [
  ...unary.split(' ').map((op): Recipe => ({ op, inputs: [x(2, 3)] })),
  ...withAlpha
    .split(' ')
    .map((op): Recipe => ({ op, inputs: [x(2, 3)], attributes: [{}, { alpha: float(0.1) }] })),
  { op: 'Selu', inputs: [x(2, 3)], attributes: [{}, { alpha: float(1.5), gamma: float(1.1) }] },
  { op: 'HardSigmoid', inputs: [x(2, 3)], attributes: [{}, { alpha: float(1.5), beta: float(0) }] },
  { op: 'Gelu', inputs: [x(2, 3)], attributes: [{}, { approximate: 'none' }, { approximate: 'tanh' }] },
  { op: 'Shrink', inputs: [x(2, 3)], attributes: [{}, { lambd: float(0.1), bias: float(0.5) }] },
  { op: 'IsInf', inputs: [x(2, 3)], attributes: [{}, { detect_negative: 0 }, { detect_positive: 0 }] },
  {
    op: 'Clip',
    inputs: [x(2, 3)],
    versions: [1, 6],
    attributes: [{}, { min: float(-1), max: float(1) }],
  },
  { op: 'Clip', inputs: [x(2, 3), of([], [1]), of([], [5])], constants: [[], [1, 2]] },
  { op: 'Clip', inputs: [x(2, 3), of([], [1])], constants: [[], [1]] },
  ...binary.split(' ').flatMap((op): Recipe[] => [
    { op, inputs: [x(2, 3), x(2, 3)] },
    { op, inputs: [x(2, 3), x(1, 3)], constants: [[], [0], [1]] },
    { op, inputs: [x(2, 3), x(1)], constants: [[], [0], [1]] },
  ]),
  ...['Div', 'Mod'].flatMap((op): Recipe[] =>
    (op === 'Div' ? [[{}]] : [[{ fmod: 0 }], [{ fmod: 1 }]]).flatMap((attributes) => [
      { op, inputs: [x(2, 3), x(2, 3)], attributes },
      { op, inputs: [x(2, 3), divisors], constants: [[], [1]], attributes },
      { op, inputs: [x(2, 3), of([1], [3])], constants: [[], [1]], attributes },
      { op, inputs: [x(1, 3), x(2, 3)], constants: [[0]], attributes },
    ]),
  ),
  ...['LEFT', 'RIGHT'].map(
    (direction): Recipe => ({
      op: 'BitShift',
      inputs: [x(2, 3), x(2, 3)],
      attributes: [{ direction }],
      constants: [[], [1]],
    }),
  ),
  ...variadic.split(' ').flatMap((op): Recipe[] => [
    { op, inputs: [x(2, 3)] },
    { op, inputs: [x(2, 3), x(1, 3)], constants: [[], [1]] },
    { op, inputs: [x(2, 3), x(2, 3), x(1)] },
  ]),
  {
    op: 'Where',
    inputs: [of([2, 3], [1, 0]), x(2, 3), x(2, 3)],
    constants: [[], [2], [1, 2]],
  },
  { op: 'Where', inputs: [of([2, 1], [1, 0]), x(2, 3), x(1)] },
  {
    op: 'Cast',
    inputs: [of([2, 3], [1, 2, 3])],
    attributes: () => elementTypes.map((to) => ({ to: elementCode(to) })),
  },
  { op: 'CastLike', inputs: [of([2, 3], [1, 2, 3]), x(1)], constants: [[], [1]] },
  {
    op: 'BitCast',
    inputs: [x(2, 3)],
    attributes: ([type]) => sameWidth(type).map((to) => ({ to: elementCode(to) })),
  },
  ...['CumSum', 'CumProd'].map(
    (op): Recipe => ({
      op,
      inputs: [x(2, 3), of([], [1])],
      attributes: [{}, { exclusive: 1 }, { reverse: 1 }],
      constants: [[], [1]],
    }),
  ),
  { op: 'Bernoulli', inputs: [of([2, 3], [0.2, 0.5])] },
  { op: 'RandomNormalLike', inputs: [x(2, 3)] },
  { op: 'RandomUniformLike', inputs: [x(2, 3)] },
  { op: 'Multinomial', inputs: [x(2, 3)], attributes: [{}, { sample_size: 5 }] },
  { op: 'Dropout', inputs: [x(2, 3)], attributes: [{}, { ratio: float(0.5) }], versions: [1, 10] },
  { op: 'Dropout', inputs: [x(2, 3)], versions: [12, 99], outputs: 2 },
  { op: 'Dropout', inputs: [x(2, 3), of([], [0.5])], versions: [12, 99], constants: [[], [1]] },
];

const widths: Partial<Record<ElementType, number>> = {
  float64: 8,
  int64: 8,
  uint64: 8,
  float32: 4,
  int32: 4,
  uint32: 4,
  float16: 2,
  int16: 2,
  uint16: 2,
  int8: 1,
  uint8: 1,
};
const sameWidth = (type: ElementType | undefined) =>
  elementTypes.filter(
    (other) => type !== undefined && widths[other] !== undefined && widths[other] === widths[type],
  );
