import type { OutcomeShape } from '../outcome-shape.js';
import type { KeptPrediction } from '../prediction-ring.js';
import { isScalar } from '../quality-cells.js';

/** A prediction as it is in Redis, without the shape of its version. */
export type StoredPrediction = Omit<KeptPrediction, 'at' | 'shape'>;

/** What is in Redis and cannot be read: another program wrote it, or it was damaged. */
export type Damage = 'a prediction' | 'a shape of a version' | 'a sum';

/** JSON cannot tell an undefined key from none: null is one that is not needed. */
export function writePrediction({ model, version, keyId, predicted, values }: StoredPrediction): string {
  return JSON.stringify([model, version, keyId ?? null, predicted ?? null, values]);
}

/** Undefined if it cannot be read. */
export function readPrediction(text: string): StoredPrediction | undefined {
  const list = readJson(text);
  if (!Array.isArray(list) || list.length !== 5) return undefined;
  const [model, version, keyId, predicted, values] = list as readonly unknown[];
  const isSound =
    typeof model === 'string' &&
    typeof version === 'string' &&
    (keyId === null || typeof keyId === 'string') &&
    (predicted === null || isScalar(predicted)) &&
    Array.isArray(values) &&
    values.every(isNumber);
  if (!isSound) return undefined;
  return { model, version, keyId: keyId ?? undefined, predicted: predicted ?? undefined, values };
}

/** Whether a prediction can be one of a version of this shape. */
export function fitsShape({ predicted, values }: StoredPrediction, shape: OutcomeShape): boolean {
  return shape.kind === 'classes' ? predicted !== undefined : values.length === (shape.names?.length ?? 1);
}

/** Undefined if it cannot be read. */
export function readShape(text: string): OutcomeShape | undefined {
  const shape = readJson(text);
  if (typeof shape !== 'object' || shape === null) return undefined;
  const { kind, classes, names } = shape as Readonly<Record<string, unknown>>;
  if (kind === 'classes' && isList(classes, isScalar)) return { kind, classes };
  if (kind === 'numbers' && isList(names, (it) => typeof it === 'string')) return { kind, names };
  return undefined;
}

export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_VALUE;
}

function isList<T>(value: unknown, isItem: (it: unknown) => it is T): value is readonly T[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every(isItem));
}
