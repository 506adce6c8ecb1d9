import {
  type Encoded,
  floats,
  initializer,
  int,
  ints,
  model,
  node,
  sequenceOfMapsValue,
  string,
  strings,
  tensorValue,
} from '../onnx.js';

/** Tiny classifiers, each with its outputs in one of the forms of known exporters. */

const LABEL = tensorValue('label', 'int64', ['N']);
const probabilitiesValue = (columns: number) => tensorValue('probabilities', 'float32', ['N', columns]);

/** X [N, k] → label [N] int64 (0, 1) and probabilities [N, 2]: a logistic regression. */
export function binaryClassifier(weights: readonly number[] = [1, 1], bias = 0): Uint8Array {
  return logistic(weights, bias, [LABEL, probabilitiesValue(2)]);
}

export function labelOnly(weights: readonly number[] = [1, 1], bias = 0): Uint8Array {
  return logistic(weights, bias, [LABEL]);
}

export function probabilitiesOnly(weights: readonly number[] = [1, 1], bias = 0): Uint8Array {
  return logistic(weights, bias, [probabilitiesValue(2)]);
}

function logistic(
  weights: readonly number[],
  bias: number,
  outputs: readonly Encoded<'value'>[],
  after: readonly Encoded<'node'>[] = [],
): Uint8Array {
  const classify = node('ai.onnx.ml:LinearClassifier', ['X'], ['label', 'probabilities'], {
    coefficients: floats([...weights.map((weight) => -weight), ...weights]),
    intercepts: floats([-bias, bias]),
    classlabels_ints: ints([0, 1]),
    post_transform: string('LOGISTIC'),
  });
  const inputs = [tensorValue('X', 'float32', ['N', weights.length])];
  return model({ inputs, outputs, nodes: [classify, ...after] });
}

/**
 * X [N, number of classes] → label [N] string and probabilities: the softmax of X itself, so that a test can compute
 * the expected values.
 */
export function multiclass(classes: readonly string[] = ['red', 'green', 'blue']): Uint8Array {
  const count = classes.length;
  const identity = Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0));
  const classify = node('ai.onnx.ml:LinearClassifier', ['X'], ['label', 'probabilities'], {
    coefficients: floats(identity),
    intercepts: floats(classes.map(() => 0)),
    classlabels_strings: strings(classes),
    multi_class: int(1),
    post_transform: string('SOFTMAX'),
  });
  return model({
    inputs: [tensorValue('X', 'float32', ['N', count])],
    outputs: [tensorValue('label', 'string', ['N']), probabilitiesValue(count)],
    nodes: [classify],
  });
}

/** X [N, 1] → probability, the sigmoid of X: [N, 1], or [N] when `flat`. */
export function oneColumn({ flat = false } = {}): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'float32', ['N', 1])],
    outputs: [tensorValue('probability', 'float32', flat ? ['N'] : ['N', 1])],
    initializers: [initializer('axes', 'int64', [1], [1n])],
    nodes: flat
      ? [node('Sigmoid', ['X'], ['column']), node('Squeeze', ['column', 'axes'], ['probability'])]
      : [node('Sigmoid', ['X'], ['probability'])],
  });
}

/** X [N, k] → logits [N, k]: X itself, for a manifest with an `activation`. */
export function logits(classes: number): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'float32', ['N', classes])],
    outputs: [tensorValue('logits', 'float32', ['N', classes])],
    nodes: [node('Identity', ['X'], ['logits'])],
  });
}

/**
 * A logistic regression with scikit-learn's default ZipMap: label, and output_probability as a sequence of maps.
 * With `tensor` the probabilities are also exposed as a tensor; with `used` the maps go into a further node.
 */
export function zipMap({
  tensor = false,
  used = false,
  classes = [0, 1] as readonly (number | bigint)[] | readonly string[],
} = {}): Uint8Array {
  const areTexts = typeof classes[0] === 'string';
  const maps = sequenceOfMapsValue('output_probability', areTexts ? 'string' : 'int64', 'float32');
  const zip = node('ai.onnx.ml:ZipMap', ['probabilities'], ['output_probability'], {
    ...(areTexts
      ? { classlabels_strings: strings(classes as readonly string[]) }
      : { classlabels_int64s: ints(classes as readonly number[]) }),
  });
  const length = node('SequenceLength', ['output_probability'], ['length']);
  const outputs = [LABEL, maps, ...(tensor ? [probabilitiesValue(2)] : [])];
  return logistic([1, 1], 0, outputs, used ? [zip, length] : [zip]);
}
