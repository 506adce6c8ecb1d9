import type { OutcomeShape } from '../outcome-shape.js';
import type { KeptPrediction } from '../prediction-ring.js';
import { isScalar, mergeCells, type VersionCells } from '../quality-cells.js';

/** A prediction as it is in Redis, without the shape of its version. */
export type StoredPrediction = Omit<KeptPrediction, 'at' | 'shape'>;

/** What is in Redis and cannot be read: another program wrote it, or it was damaged. */
export type Damage = 'a prediction' | 'a shape of a version' | 'a sum';

export function nameOf({ model, version }: { readonly model: string; readonly version: string }): string {
  return `${model}/${version}`;
}

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

export function writeSumField({ model, version }: StoredPrediction, cell: string): string {
  return JSON.stringify([model, version, cell]);
}

/** The limit of a sum that `recordScript` adds to. */
const maxSum = 1e250;

/**
 * The sums of all slots, each a flat list of fields and values. With a sum that cannot be read, a version loses that slot:
 * the others would not belong together. A version whose shape `shapeOf` does not know is left out.
 */
export function readSums(
  slots: readonly (readonly unknown[])[],
  shapeOf: (name: string) => OutcomeShape | undefined,
  onDamage: (what: Damage) => void,
): readonly VersionCells[] {
  // Most fields are in many slots.
  const known = new Map<string, SumField | undefined>();
  const fieldOf = (text: string) => {
    if (!known.has(text)) known.set(text, readSumField(text, shapeOf));
    return known.get(text);
  };
  return mergeCells(slots.map((fields) => readSlot(fields, fieldOf, onDamage)));
}

interface SumField extends Omit<VersionCells, 'cells' | 'shape'> {
  readonly name: string;
  readonly cell: string;
  readonly shape: OutcomeShape | undefined;
}

function readSumField(
  text: string,
  shapeOf: (name: string) => OutcomeShape | undefined,
): SumField | undefined {
  const field = readJson(text);
  if (!Array.isArray(field) || field.length !== 3 || !field.every((it) => typeof it === 'string'))
    return undefined;
  const [model, version, cell] = field as [string, string, string];
  const name = nameOf({ model, version });
  return { model, version, name, cell, shape: shapeOf(name) };
}

function readSlot(
  fields: readonly unknown[],
  fieldOf: (text: string) => SumField | undefined,
  onDamage: (what: Damage) => void,
): readonly VersionCells[] {
  const all = new Map<string, VersionCells & { readonly cells: Record<string, number> }>();
  const damaged = new Set<string>();
  for (let k = 0; k < fields.length; k += 2) {
    const field = fieldOf(String(fields[k]));
    const text = String(fields[k + 1]);
    const sum = Number(text);
    const isSum = text.trim() !== '' && Math.abs(sum) <= maxSum;
    if (field === undefined || !isSum) onDamage('a sum');
    if (field === undefined) continue;
    const { model, version, name, cell, shape } = field;
    if (!isSum) damaged.add(name);
    if (shape === undefined) continue;
    const into = all.get(name) ?? { model, version, shape, cells: {} };
    into.cells[cell] = sum;
    all.set(name, into);
  }
  return [...all].flatMap(([name, it]) => (damaged.has(name) ? [] : [it]));
}

function readJson(text: string): unknown {
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
