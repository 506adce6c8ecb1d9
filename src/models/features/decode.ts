import { ServiceError } from '../../errors.js';
import { notFinite, readNumber, readRaw, shortenFloat32 } from '../../inference/tensors/json-number.js';
import { type ElementType, roundTo, type Tensor, type Tensors } from '../../inference/tensors/tensor.js';
import type { Prediction, Scalar } from '../tasks/task.js';

/** Reads one row's prediction from the outputs of a run. */
export type Decode = (outputs: Tensors, row: number) => Prediction;

export interface LabelOutput {
  readonly name: string;
  readonly type: ElementType;
  /** An integer label is a position in the classes, or the class itself. */
  readonly labelIs: 'position' | 'class';
}

export interface ProbabilitiesOutput {
  readonly name: string;
  readonly type: ElementType;
  /** Elements a row. A single one is the probability of the second of two classes. */
  readonly columns: number;
  readonly activation?: 'softmax' | 'sigmoid' | undefined;
}

export interface ClassificationOutputs {
  readonly label?: LabelOutput | undefined;
  readonly probabilities?: ProbabilitiesOutput | undefined;
  /** In column order. They may be unknown if there are no probabilities. */
  readonly classes?: readonly Scalar[] | undefined;
  /** For two classes: the second is predicted if its probability is at least this. */
  readonly threshold?: number | undefined;
}

/**
 * Decisions compare raw elements, in the tensor's own type. Only the numbers of the answer are shortened.
 * Throws `output_not_finite`, `output_not_exact`, and `run_failed` for a label outside the classes.
 */
export function createClassificationDecoder(outputs: ClassificationOutputs): Decode {
  const { label, probabilities, classes, threshold } = outputs;
  const readLabel = label && createLabelReader(label, classes);
  if (probabilities === undefined || classes === undefined) {
    if (readLabel === undefined) throw new TypeError('a classification needs a label or probabilities');
    return (tensors, row) => ({ prediction: readLabel(tensors, row).value });
  }
  const readProbabilities = createProbabilitiesReader(probabilities);
  const isFloat32 = probabilities.type === 'float32';
  const limit = threshold === undefined ? undefined : roundTo(threshold, probabilities.type);

  return (tensors, row) => {
    const values = readProbabilities(tensors, row);
    let position: number;
    if (limit !== undefined) position = (values[1] as number) >= limit ? 1 : 0;
    else if (readLabel !== undefined) position = readLabel(tensors, row).position;
    else position = indexOfLargest(values);
    if (isFloat32) for (let k = 0; k < values.length; k += 1) values[k] = shortenFloat32(values[k] as number);
    return {
      prediction: classes[position] as Scalar,
      probability: values[position] as number,
      probabilities: values,
    };
  };
}

/** One column gives a number, several give an object of `names`. */
export function createRegressionDecoder(output: string, columns: number, names?: readonly string[]): Decode {
  if (names === undefined) {
    return (tensors, row) => ({ prediction: readNumber(tensors[output] as Tensor, row * columns, output) });
  }
  return (tensors, row) => {
    const tensor = tensors[output] as Tensor;
    const entries = names.map((name, k) => [name, readNumber(tensor, row * columns + k, output)] as const);
    return { prediction: Object.fromEntries(entries) };
  };
}

interface Label {
  readonly value: Scalar;
  readonly position: number;
}

function createLabelReader(
  label: LabelOutput,
  classes: readonly Scalar[] | undefined,
): (tensors: Tensors, row: number) => Label {
  const positions = new Map(classes?.map((value, position) => [value, position]));
  const read = (tensor: Tensor, row: number): Scalar => {
    if (tensor.type === 'string') return readText(tensor, row, label.name);
    const number = readNumber(tensor, row, label.name);
    return tensor.type === 'bool' && label.labelIs === 'class' ? number === 1 : number;
  };
  return (tensors, row) => {
    const value = read(tensors[label.name] as Tensor, row);
    if (classes === undefined) return { value, position: -1 };
    const position = label.labelIs === 'position' ? Number(value) : (positions.get(value) ?? -1);
    const found = classes[position];
    if (found !== undefined) return { value: found, position };
    throw new ServiceError('run_failed', {
      cause: new Error(`label ${JSON.stringify(value)} of output ${label.name} is outside the classes`),
    });
  };
}

function readText(tensor: Tensor, row: number, output: string): string {
  const text = tensor.data[row];
  if (typeof text === 'string') return text;
  // A graph may return fewer rows than it was given, which only a run shows.
  throw new ServiceError('run_failed', { cause: new Error(`output ${output} has no text at ${row}`) });
}

function createProbabilitiesReader(output: ProbabilitiesOutput): (tensors: Tensors, row: number) => number[] {
  const { name, columns, activation } = output;
  return (tensors, row) => {
    const tensor = tensors[name] as Tensor;
    const values: number[] = new Array(columns);
    for (let k = 0; k < columns; k += 1) values[k] = readRaw(tensor, row * columns + k, name);
    if (activation === 'softmax') applySoftmax(values);
    else if (activation === 'sigmoid') values[0] = sigmoid(values[0] as number);
    if (columns === 1) {
      const second = values[0] as number;
      values[0] = roundTo(1 - second, tensor.type);
      values[1] = second;
    }
    for (const value of values) if (!Number.isFinite(value)) throw notFinite(value, name);
    if (activation !== undefined) {
      for (let k = 0; k < values.length; k += 1) values[k] = roundTo(values[k] as number, tensor.type);
    }
    return values;
  };
}

/** Softmax in place, shifted by the largest logit so that no exponential overflows. */
function applySoftmax(values: number[]): void {
  const largest = values.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let k = 0; k < values.length; k += 1) {
    const value = Math.exp((values[k] as number) - largest);
    values[k] = value;
    sum += value;
  }
  for (let k = 0; k < values.length; k += 1) values[k] = (values[k] as number) / sum;
}

/** The logistic function. It takes the exponential of negative numbers only, so that none overflows. */
function sigmoid(logit: number): number {
  if (logit >= 0) return 1 / (1 + Math.exp(-logit));
  const exponential = Math.exp(logit);
  return exponential / (1 + exponential);
}

function indexOfLargest(values: readonly number[]): number {
  let best = 0;
  for (let k = 1; k < values.length; k += 1) if ((values[k] as number) > (values[best] as number)) best = k;
  return best;
}
