import {
  type Dimension,
  type ElementType,
  externalInitializer,
  initializer,
  type ModelSource,
  model,
  node,
  optionalValue,
  sequenceValue,
  tensorValue,
  typeOf,
} from '../onnx.js';

/** Models that the engine refuses, or that load but cannot be served. X is [N, 1] float32. */

const X = tensorValue('X', 'float32', ['N', 1]);
const VARIABLE = tensorValue('variable', 'float32', ['N', 1]);

const identity = (changes: Partial<ModelSource>): Uint8Array =>
  model({ inputs: [X], outputs: [VARIABLE], nodes: [node('Identity', ['X'], ['variable'])], ...changes });

export const unknownOperator = (): Uint8Array =>
  identity({ nodes: [node('Transmogrify', ['X'], ['variable'])] });
export const opset99 = (): Uint8Array => identity({ opset: 99 });
export const ir99 = (): Uint8Array => identity({ irVersion: 99 });

const echoOf = (type: ElementType, shape?: readonly Dimension[]): Uint8Array =>
  identity({
    inputs: [tensorValue('X', type, shape)],
    outputs: [tensorValue('variable', type, shape)],
    opset: 19,
  });

/** Valid ONNX with types for which the Node binding has no array: refused at load. */
export const bfloat16 = (): Uint8Array => echoOf('bfloat16', ['N', 1]);
export const float8 = (): Uint8Array => echoOf('float8e4m3fn', ['N', 1]);

/** Loads and runs. Only the graph shows that the rank is unknown; the engine's metadata shows a scalar. */
export const unknownRank = (): Uint8Array => echoOf('float32');

/** An initializer that claims 2^20 × 2^20 float32 (4 TB) and has 4 bytes. The rest of the model is valid. */
export function hugeInitializer(): Uint8Array {
  return identity({
    outputs: [tensorValue('variable', 'float32')],
    initializers: [initializer('W', 'float32', [2 ** 20, 2 ** 20], new Uint8Array(4))],
    nodes: [node('Add', ['X', 'W'], ['variable'])],
  });
}

const OPTIONAL = optionalValue('variable', 'float32', ['N', 1]);

/** The output is declared optional. It holds X, and can be fetched. */
export function optionalOutput(): Uint8Array {
  return identity({ outputs: [OPTIONAL], nodes: [node('Optional', ['X'], ['variable'])] });
}

/** The output is optional and empty: the model loads, but fetching the output ends the process with SIGSEGV. */
export function emptyOptional(): Uint8Array {
  return identity({
    outputs: [OPTIONAL],
    nodes: [node('Optional', [], ['variable'], { type: typeOf('float32') })],
  });
}

/** The output is a sequence of two tensors: the model loads, and a run throws when the output is fetched. */
export function sequenceOutput(): Uint8Array {
  return identity({
    outputs: [sequenceValue('variable', 'float32', ['N', 1])],
    nodes: [node('SequenceConstruct', ['X', 'X'], ['variable'])],
  });
}

/** X + W, where W is one float32 in a file of its own. */
export function externalData(location: string, part: { offset?: number; length?: number } = {}): Uint8Array {
  return identity({
    initializers: [externalInitializer('W', 'float32', [1], { location, ...part })],
    nodes: [node('Add', ['X', 'W'], ['variable'])],
  });
}
