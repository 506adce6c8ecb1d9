import { float, initializer, int, model, node, tensorValue } from '../onnx.js';
import { createRandom } from './random.js';

/** Models whose answer to a row depends on the other rows of the run. X [N, columns] → variable [N, 1]. */

const X = (columns: number) => tensorValue('X', 'float32', ['N', columns]);
const VARIABLE = tensorValue('variable', 'float32', ['N', 1]);

/** A layer as written by onnxruntime's quantize_dynamic: the scale of X is computed over the whole run. */
export function dynamicallyQuantized(columns = 3): Uint8Array {
  const weights = Array.from({ length: columns }, (_unused, k) => 60 * k + 7);
  return model({
    inputs: [X(columns)],
    outputs: [VARIABLE],
    initializers: [
      initializer('W', 'uint8', [columns, 1], weights),
      initializer('Wzero', 'uint8', [], [64]),
      initializer('Wscale', 'float32', [], [0.01]),
    ],
    nodes: [
      node('DynamicQuantizeLinear', ['X'], ['Xq', 'Xscale', 'Xzero']),
      node('MatMulInteger', ['Xq', 'W', 'Xzero', 'Wzero'], ['cluster']),
      node('Cast', ['cluster'], ['number'], { to: int(1) }),
      node('Mul', ['Xscale', 'Wscale'], ['scale']),
      node('Mul', ['number', 'scale'], ['variable']),
    ],
  });
}

/** X minus its mean over the rows of the run, then added up. */
export function centredOnRun(columns = 3): Uint8Array {
  return model({
    inputs: [X(columns)],
    outputs: [VARIABLE],
    initializers: [initializer('rows', 'int64', [1], [0n]), initializer('columns', 'int64', [1], [1n])],
    nodes: [
      node('ReduceMean', ['X', 'rows'], ['mean'], { keepdims: int(1) }),
      node('Sub', ['X', 'mean'], ['centred']),
      node('ReduceSum', ['centred', 'columns'], ['variable'], { keepdims: int(1) }),
    ],
    opset: 18,
  });
}

/** The same after a transposition, so that the rows are the second axis. */
export function centredInDisguise(columns = 3): Uint8Array {
  return model({
    inputs: [X(columns)],
    outputs: [VARIABLE],
    initializers: [initializer('rows', 'int64', [1], [1n]), initializer('columns', 'int64', [1], [1n])],
    nodes: [
      node('Transpose', ['X'], ['turned']),
      node('ReduceMean', ['turned', 'rows'], ['mean'], { keepdims: int(1) }),
      node('Sub', ['turned', 'mean'], ['centred']),
      node('Transpose', ['centred'], ['back']),
      node('ReduceSum', ['back', 'columns'], ['variable'], { keepdims: int(1) }),
    ],
    opset: 18,
  });
}

/** BatchNormalization in training mode: it normalizes by the run's own mean and variance. */
export function trainingNormalization(columns = 3): Uint8Array {
  const constant = (name: string, value: number) =>
    initializer(name, 'float32', [columns], new Array<number>(columns).fill(value));
  return model({
    inputs: [X(columns)],
    outputs: [tensorValue('variable', 'float32', ['N', columns])],
    initializers: [constant('scale', 1), constant('bias', 0), constant('mean', 0), constant('variance', 1)],
    nodes: [
      node(
        'BatchNormalization',
        ['X', 'scale', 'bias', 'mean', 'variance'],
        ['variable', 'newMean', 'newVariance'],
        {
          training_mode: int(1),
          epsilon: float(1e-5),
        },
      ),
    ],
  });
}

/** X's first column plus a draw from the normal distribution. */
export function randomNoise(columns = 3): Uint8Array {
  return model({
    inputs: [X(columns)],
    outputs: [VARIABLE],
    initializers: [initializer('columns', 'int64', [1], [1n])],
    nodes: [
      node('RandomNormalLike', ['X'], ['noise']),
      node('Add', ['X', 'noise'], ['noisy']),
      node('ReduceSum', ['noisy', 'columns'], ['variable'], { keepdims: int(1) }),
    ],
  });
}

/** X after a Dropout in training mode, which drops half of the columns at random. */
export function trainingDropout(columns = 3): Uint8Array {
  return model({
    inputs: [X(columns)],
    outputs: [tensorValue('variable', 'float32', ['N', columns])],
    initializers: [initializer('ratio', 'float32', [], [0.5]), initializer('training', 'bool', [], [1])],
    nodes: [node('Dropout', ['X', 'ratio', 'training'], ['variable'])],
  });
}

/** Layers of a network as exporters write them: width × width, each with a Relu, and one column at the end. */
export function network(layers: number, width: number, features = 4): Uint8Array {
  const random = createRandom(7);
  const weights = (name: string, rows: number, columns: number) =>
    initializer(
      name,
      'float32',
      [rows, columns],
      Array.from({ length: rows * columns }, () => (random() - 0.5) * (4 / Math.sqrt(rows))),
    );
  const value = (layer: number) => (layer === 0 ? 'X' : `relu_${layer}`);
  const widths = [features, ...new Array<number>(layers).fill(width)];
  return model({
    inputs: [tensorValue('X', 'float32', ['N', features])],
    outputs: [VARIABLE],
    initializers: [
      ...Array.from({ length: layers }, (_unused, k) =>
        weights(`W${k}`, widths[k] as number, widths[k + 1] as number),
      ),
      weights('W', width, 1),
    ],
    nodes: [
      ...Array.from({ length: layers }, (_unused, k) => [
        node('Gemm', [value(k), `W${k}`], [`gemm_${k + 1}`]),
        node('Relu', [`gemm_${k + 1}`], [value(k + 1)]),
      ]).flat(),
      node('Gemm', [value(layers), 'W'], ['variable']),
    ],
  });
}
