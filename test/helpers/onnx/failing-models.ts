import { type Encoded, graph, initializer, int, model, node, tensor, tensorValue } from '../onnx.js';

/**
 * Models that load, and whose runs fail or take long for some values. X is [N, 1] float32 and the output `value` is
 * [N, 1], unless a docstring says otherwise.
 */

const X = tensorValue('X', 'float32', ['N', 1]);
const VALUE = tensorValue('value', 'float32', ['N', 1]);

function fromX(
  nodes: readonly Encoded<'node'>[],
  initializers: readonly Encoded<'initializer'>[] = [],
): Uint8Array {
  return model({ inputs: [X], outputs: [VALUE], nodes, initializers });
}

/** X is an index into a table of 10, 20, 30, 40. An index outside -4 to 3 makes the engine throw for the whole run. */
export function gatherByValue(): Uint8Array {
  return fromX(
    [
      node('Cast', ['X'], ['place'], { to: int(7) }),
      node('Gather', ['table', 'place'], ['value'], { axis: int(0) }),
    ],
    [initializer('table', 'float32', [4], [10, 20, 30, 40])],
  );
}

/** The logarithm: NaN for a negative number, -Infinity for 0. */
export const nanAt = (): Uint8Array => fromX([node('Log', ['X'], ['value'])]);

/** NaN for any X. */
export const neverANumber = (): Uint8Array =>
  fromX([node('Add', ['X', 'nan'], ['value'])], [initializer('nan', 'float32', [1], [Number.NaN])]);

/** 1 / X: Infinity for 0, -Infinity for -0. */
export const infOut = (): Uint8Array =>
  fromX([node('Div', ['one', 'X'], ['value'])], [initializer('one', 'float32', [1], [1])]);

/** X [N, 1] int64 → value int64, X times 2^40: from 8,192 on at least 2^53. */
export function bigInt64(): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'int64', ['N', 1])],
    outputs: [tensorValue('value', 'int64', ['N', 1])],
    initializers: [initializer('factor', 'int64', [1], [2n ** 40n])],
    nodes: [node('Mul', ['X', 'factor'], ['value'])],
  });
}

const scalar = (name: string, type: 'float32' | 'int64' | 'bool') => tensorValue(name, type, []);
const TRUE = initializer('true', 'bool', [], [true]);

/** Adds 0 to X 2^62 times: the run ends only with its process. */
export function endlessLoop(): Uint8Array {
  const body = graph({
    name: 'for ever',
    inputs: [scalar('i', 'int64'), scalar('go', 'bool'), tensorValue('state', 'float32', ['N', 1])],
    outputs: [scalar('again', 'bool'), tensorValue('next', 'float32', ['N', 1])],
    nodes: [node('Identity', ['go'], ['again']), node('Add', ['state', 'zero'], ['next'])],
  });
  return fromX(
    [node('Loop', ['trips', 'true', 'X'], ['value'], { body })],
    [initializer('trips', 'int64', [], [2n ** 62n]), initializer('zero', 'float32', [1], [0]), TRUE],
  );
}

/**
 * X → value, unchanged, after `iterations` products of two 128 × 128 matrices, about 0.1 ms each. Without
 * `iterations` the number is the largest X.
 */
export function slow(iterations?: number): Uint8Array {
  const size = 128;
  const identity = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const matrix = (name: string) => tensorValue(name, 'float32', [size, size]);
  const body = graph({
    name: 'product',
    inputs: [scalar('i', 'int64'), scalar('go', 'bool'), matrix('state')],
    outputs: [scalar('again', 'bool'), matrix('next')],
    nodes: [node('Identity', ['go'], ['again']), node('MatMul', ['state', 'I'], ['next'])],
  });
  const count = [
    node('ReduceMax', ['X'], ['largest'], { keepdims: int(0) }),
    node('Cast', ['largest'], ['trips'], { to: int(7) }),
  ];
  return fromX(
    [
      ...(iterations === undefined ? count : []),
      node('Loop', ['trips', 'true', 'I'], ['product'], { body }),
      node('ReduceMax', ['product'], ['one'], { keepdims: int(0) }),
      node('Mul', ['X', 'one'], ['value']),
    ],
    [
      initializer('I', 'float32', [size, size], identity),
      ...(iterations === undefined ? [] : [initializer('trips', 'int64', [], [iterations])]),
      TRUE,
    ],
  );
}

/** X → value, unchanged, through a tensor whose number of float32 is the largest X. */
export function allocating(): Uint8Array {
  return fromX(
    [
      node('ReduceMax', ['X'], ['largest'], { keepdims: int(0) }),
      node('Cast', ['largest'], ['size'], { to: int(7) }),
      node('Reshape', ['size', 'one element'], ['shape']),
      node('ConstantOfShape', ['shape'], ['ones'], {
        value: tensor(initializer('', 'float32', [1], [1])),
      }),
      node('ReduceMax', ['ones'], ['one'], { keepdims: int(0) }),
      node('Mul', ['X', 'one'], ['value']),
    ],
    [initializer('one element', 'int64', [1], [1n])],
  );
}

/** X plus noise: a different answer each time. */
export const noisy = (): Uint8Array =>
  fromX([node('RandomNormalLike', ['X'], ['noise']), node('Add', ['X', 'noise'], ['value'])]);
