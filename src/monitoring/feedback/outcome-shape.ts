import type { AnswerShape, Scalar } from '../../models/tasks/task.js';
import { describeValue } from '../../text/describe-value.js';

/** What a version predicts, and so what may have happened. It holds no reference to the version. */
export type OutcomeShape =
  /** `classes` are unknown if the model has labels only. */
  | { readonly kind: 'classes'; readonly classes?: readonly Scalar[] | undefined }
  /** One number, or an object of one number for each name. */
  | { readonly kind: 'numbers'; readonly names?: readonly string[] | undefined };

/** What was predicted. `values` are the probabilities in the order of the classes, or the predicted numbers. */
export interface Outcome {
  /** Undefined for numbers. */
  readonly predicted?: Scalar | undefined;
  readonly values: readonly number[];
}

export type Actual =
  | { readonly kind: 'class'; readonly value: Scalar }
  | { readonly kind: 'numbers'; readonly values: readonly number[] };

/** Of a text, if the version does not declare its classes. */
export const maxClassLength = 256;
/** Between a predicted and an actual number: the square of a larger one would make the sums infinite. */
const maxError = 1e100;

export function toOutcomeShape(
  task: 'classification' | 'regression',
  shape: Pick<AnswerShape, 'classes' | 'names'> | undefined,
): OutcomeShape {
  return task === 'classification'
    ? { kind: 'classes', classes: shape?.classes }
    : { kind: 'numbers', names: shape?.names };
}

/** Checks what really happened. Returns the reason if it cannot be true of this version. */
export function readActual(shape: OutcomeShape, outcome: Outcome, actual: unknown): Actual | string {
  if (shape.kind === 'classes') return readClass(shape.classes, outcome.predicted, actual);
  const read = readNumbers(shape.names, actual);
  if (typeof read === 'string') return read;
  const isNear = read.values.every((value, k) => Math.abs((outcome.values[k] as number) - value) <= maxError);
  return isNear ? read : `must differ from the prediction by at most ${maxError}`;
}

/** Equal for two actuals if and only if they say the same. */
export function toActualText(actual: Actual): string {
  return JSON.stringify(actual.kind === 'class' ? actual.value : actual.values);
}

const classSets = new WeakMap<readonly Scalar[], ReadonlySet<Scalar>>();

/** A request has up to 1,000 items, and a version any number of classes. */
function setOf(classes: readonly Scalar[]): ReadonlySet<Scalar> {
  const known = classSets.get(classes) ?? new Set(classes);
  classSets.set(classes, known);
  return known;
}

function readClass(classes: readonly Scalar[] | undefined, predicted: unknown, actual: unknown) {
  if (classes === undefined) return readOpenClass(predicted, actual);
  if (setOf(classes).has(actual as Scalar)) return { kind: 'class', value: actual as Scalar } as const;
  const shown = classes.slice(0, 10).map((it) => JSON.stringify(it));
  const more = classes.length > 10 ? ', …' : '';
  return `must be one of ${shown.join(', ')}${more}, got ${describeValue(actual)}`;
}

function readOpenClass(predicted: unknown, actual: unknown): Actual | string {
  if (typeof actual !== typeof predicted)
    return `must be a ${typeof predicted}, as the predictions of this version, got ${describeValue(actual)}`;
  if (typeof actual === 'string' && actual.length > maxClassLength)
    return `must have at most ${maxClassLength} characters, got ${actual.length}`;
  if (typeof actual === 'number' && !isNumber(actual)) return 'must be a finite number';
  return { kind: 'class', value: actual as Scalar };
}

function readNumbers(names: readonly string[] | undefined, actual: unknown) {
  if (names === undefined) {
    if (isNumber(actual)) return { kind: 'numbers', values: [actual] } as const;
    return `must be a number, got ${describeValue(actual)}`;
  }
  const form = `must be an object with a number for each of ${names.slice(0, 10).join(', ')}`;
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return form;
  const values = new Map(Object.entries(actual));
  if (values.size !== names.length) return form;
  const found = names.map((name) => values.get(name));
  return found.every(isNumber) ? ({ kind: 'numbers', values: found } as const) : form;
}

/** JSON has no infinity, but 1e999 is read as one. */
function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
