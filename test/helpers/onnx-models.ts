import {
  type Dimension,
  type ElementType,
  float,
  floats,
  initializer,
  int,
  model,
  node,
  strings,
  tensorValue,
} from './onnx.js';

export * from './onnx/broken-models.js';
export * from './onnx/classifier-models.js';
export * from './onnx/company-models.js';
export * from './onnx/costly-models.js';
export * from './onnx/failing-models.js';
export * from './onnx/tree-models.js';

/**
 * Tiny sound models, each the smallest of its kind. The input is `X` and the output `variable`, unless a docstring says
 * otherwise. The files exported above hold classifiers, trees, and models that fail.
 */

/** X [N, k] → variable [N, 1], X·weights + bias. */
export function linearRegression(weights: readonly number[], bias = 0): Uint8Array {
  return matMulModel('float32', weights.length, weights, [bias]);
}

/** Like `linearRegression`, all in float64. */
export function float64Linear(weights: readonly number[], bias = 0): Uint8Array {
  return matMulModel('float64', weights.length, weights, [bias]);
}

export function float16Linear(weights: readonly number[], bias = 0): Uint8Array {
  return matMulModel('float16', weights.length, weights, [bias]);
}

/** X [N, 2] → variable [N, 2]: the sum and the difference. */
export function twoOutputs(): Uint8Array {
  return matMulModel('float32', 2, [1, 1, 1, -1], [0, 0]);
}

/** X [n, 2] → variable [n, 1], the sum, for runs of exactly n rows. */
export function fixedBatch(rows: number): Uint8Array {
  return matMulModel('float32', 2, [1, 1], [0], rows);
}

/**
 * X [N, features] → variable [N, 1]: layers of sines over 2,048 columns. The time of a run grows with the rows and
 * with the layers: about 10 µs each.
 */
export function sineLayers(layers: number, features: number): Uint8Array {
  const width = 2_048;
  const spread = Array.from({ length: features * width }, (_, k) => Math.sin(k));
  const gather = Array.from({ length: width }, () => 1 / width);
  const between = (layer: number) => (layer === 0 ? 'wide' : `layer_${layer}`);
  return model({
    inputs: [tensorValue('X', 'float32', ['N', features])],
    outputs: [tensorValue('variable', 'float32', ['N', 1])],
    initializers: [
      initializer('spread', 'float32', [features, width], spread),
      initializer('gather', 'float32', [width, 1], gather),
    ],
    nodes: [
      node('MatMul', ['X', 'spread'], [between(0)]),
      ...Array.from({ length: layers }, (_, k) => node('Sin', [between(k)], [between(k + 1)])),
      node('MatMul', [between(layers), 'gather'], ['variable']),
    ],
  });
}

function matMulModel(
  type: ElementType,
  features: number,
  weights: readonly number[],
  bias: readonly number[],
  rows: Dimension = 'N',
): Uint8Array {
  const columns = bias.length;
  return model({
    inputs: [tensorValue('X', type, [rows, features])],
    outputs: [tensorValue('variable', type, [rows, columns])],
    initializers: [
      initializer('W', type, [features, columns], weights),
      initializer('B', type, [columns], bias),
    ],
    nodes: [node('MatMul', ['X', 'W'], ['XW']), node('Add', ['XW', 'B'], ['variable'])],
  });
}

/** X → variable of the same type and shape, unchanged. */
export function echo(type: ElementType, shape: readonly Dimension[] = ['N', 1]): Uint8Array {
  return oneNode('Identity', type, shape, type, shape);
}

/** X gives the dimensions of Y, all of whose elements are 0. */
export function zerosOfShape(): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'int64', ['K'])],
    outputs: [tensorValue('Y', 'float32')],
    nodes: [node('ConstantOfShape', ['X'], ['Y'])],
  });
}

export const stringEcho = (): Uint8Array => echo('string', ['N', 1]);
export const boolNot = (): Uint8Array => oneNode('Not', 'bool', ['N', 1], 'bool', ['N', 1]);

function oneNode(
  operator: string,
  from: ElementType,
  fromShape: readonly Dimension[],
  to: ElementType,
  toShape: readonly Dimension[],
): Uint8Array {
  return model({
    inputs: [tensorValue('X', from, fromShape)],
    outputs: [tensorValue('variable', to, toShape)],
    nodes: [node(operator, ['X'], ['variable'])],
  });
}

/** X [N, features] int64 → variable [N, 1] int64, the exact sum of a row. The engine's ReduceSum is not exact. */
export function int64Sum(features = 2): Uint8Array {
  return matMulModel('int64', features, new Array<number>(features).fill(1), [0]);
}

const VALUE = tensorValue('value', 'float32', ['N', 1]);

/** Numbers X [N, 2] and regions R [N, 1] ('north' is 10, 'south' 20, others 0) → value [N, 1], their sum. */
export function grouped(): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'float32', ['N', 2]), tensorValue('R', 'string', ['N', 1])],
    outputs: [VALUE],
    initializers: [initializer('axes', 'int64', [1], [1n])],
    nodes: [
      regionCode('R'),
      node('Concat', ['X', 'code'], ['all'], { axis: int(1) }),
      node('ReduceSum', ['all', 'axes'], ['value']),
    ],
  });
}

const regionCode = (input: string) =>
  node('ai.onnx.ml:LabelEncoder', [input], ['code'], {
    keys_strings: strings(['north', 'south']),
    values_floats: floats([10, 20]),
    default_float: float(0),
  });

/** One input per feature, as a ColumnTransformer exports it: age + income + region's code + 1 if owner → value. */
export function perColumn(): Uint8Array {
  return model({
    inputs: [
      tensorValue('age', 'int64', ['N', 1]),
      tensorValue('income', 'float32', ['N', 1]),
      tensorValue('region', 'string', ['N', 1]),
      tensorValue('owner', 'bool', ['N', 1]),
    ],
    outputs: [VALUE],
    nodes: [
      regionCode('region'),
      node('Cast', ['age'], ['ageFloat'], { to: int(1) }),
      node('Cast', ['owner'], ['ownerFloat'], { to: int(1) }),
      node('Sum', ['ageFloat', 'income', 'code', 'ownerFloat'], ['value']),
    ],
  });
}

/** Inputs a and b of shape [N] → value [N], their sum. */
export function columnVector(): Uint8Array {
  return model({
    inputs: [tensorValue('a', 'float32', ['N']), tensorValue('b', 'float32', ['N'])],
    outputs: [tensorValue('value', 'float32', ['N'])],
    nodes: [node('Add', ['a', 'b'], ['value'])],
  });
}
