import { type Problem, ServiceError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { describeValue, isObject, pointerToken } from '../../text/describe-value.js';
import type { Locate, LocatedRows } from './feature-rows.js';
import { readList, refuse, type V1Body } from './read-body.js';

export interface TensorInstances extends LocatedRows {
  /** The number of `instances`; undefined for `inputs`. */
  readonly count: number | undefined;
  /** The instances, or the items of the first axis of `inputs` if the graph leaves its length open. */
  readonly rows: number;
}

const maxProblems = 20;

/**
 * Checks a body for the task `tensor`. `instances` are stacked along the first axis of each input: bare values if the
 * graph has one input, else objects by the inputs' names. `inputs` has that axis already. Throws `invalid_input`.
 */
export function checkTensors(body: V1Body, { task, maxRows }: LoadedVersion): TensorInstances {
  const names = task.tensors?.inputs.map(({ name }) => name) ?? [];
  if (body.isWhole) {
    const message = 'is for a classification or a regression: this model answers with tensors';
    throw refuse([{ pointer: '/parameters/probabilities', message }]);
  }
  const { inputs, count, place } =
    body.form === 'inputs' ? readColumns(body.value, names) : readInstances(body.value, names, maxRows);
  const locate = (_row: number, pointer: string) => place(pointer.replace(/^\/inputs/, ''));
  try {
    const requests = [task.check({ inputs })];
    const rows = count ?? Math.max(1, ...(task.tensors?.inputs ?? []).map((it) => lengthOf(it, inputs)));
    return { requests, count, rows, locate };
  } catch (error) {
    throw relocate(error, locate);
  }
}

type Input = NonNullable<LoadedVersion['task']['tensors']>['inputs'][number];

function lengthOf({ name, dims }: Input, inputs: unknown): number {
  if (typeof dims?.[0] === 'number') return 1;
  const value = isObject(inputs) ? inputs[name] : undefined;
  if (Array.isArray(value)) return value.length;
  const shape = isObject(value) ? value['shape'] : undefined;
  return Array.isArray(shape) ? Number(shape[0] ?? 1) : 1;
}

/** Rewrites the pointers of an error's problems, so that they fit the body that the client sent. */
function relocate(error: unknown, locate: Locate): unknown {
  if (!(error instanceof ServiceError) || error.problems === undefined) return error;
  const problems = error.problems.map(({ pointer, message }) => ({ pointer: locate(0, pointer), message }));
  return new ServiceError(error.code, { ...(error.detail && { detail: error.detail }), problems });
}

interface Stacked {
  readonly inputs: unknown;
  readonly count?: number;
  /** Maps the task's pointer `/name/row/…` to a pointer within the body. */
  readonly place: (pointer: string) => string;
}

function readColumns(value: unknown, names: readonly string[]): Stacked {
  const [only] = names;
  if (names.length !== 1 || only === undefined || isObject(value)) {
    return { inputs: value, place: (pointer) => `/inputs${pointer}` };
  }
  const own = `/${pointerToken(only)}`;
  return { inputs: { [only]: value }, place: (pointer) => `/inputs${pointer.replace(own, '')}` };
}

function readInstances(value: unknown, names: readonly string[], maxRows: number): Stacked {
  const rows = readList(value, '/instances', maxRows);
  const [only] = names;
  const count = rows.length;
  if (names.length === 1 && only !== undefined && !isObject(rows[0])) {
    const own = `/${pointerToken(only)}`;
    return { inputs: { [only]: rows }, count, place: (pointer) => `/instances${pointer.replace(own, '')}` };
  }
  const problems = rows.flatMap((row, k) => findRowProblems(row, k, names)).slice(0, maxProblems);
  if (problems.length > 0) throw refuse(problems);
  return {
    inputs: Object.fromEntries(
      names.map((name) => [name, rows.map((row) => (row as Readonly<Record<string, unknown>>)[name])]),
    ),
    count,
    place: (pointer) => `/instances${pointer.replace(/^\/([^/]*)\/(\d+)/, '/$2/$1')}`,
  };
}

function findRowProblems(row: unknown, index: number, names: readonly string[]): readonly Problem[] {
  const pointer = `/instances/${index}`;
  const sketch = `{${names
    .slice(0, 3)
    .map((name) => `${JSON.stringify(name)}: …`)
    .join(', ')}}`;
  if (!isObject(row)) {
    return [{ pointer, message: `must be an object of the inputs, ${sketch}, got ${describeValue(row)}` }];
  }
  if (typeof row['b64'] === 'string' && !names.includes('b64')) {
    return [
      { pointer, message: '{"b64": …} is not decoded here: send a text as it is, and numbers as numbers' },
    ];
  }
  const missing = names.filter((name) => !Object.hasOwn(row, name));
  const unknown = Object.keys(row).filter((name) => !names.includes(name));
  return [
    ...missing.map((name) => ({ pointer: `${pointer}/${pointerToken(name)}`, message: 'is required' })),
    ...unknown.slice(0, maxProblems).map((name) => ({
      pointer: `${pointer}/${pointerToken(name)}`,
      message: `is not an input: ${sketch}`,
    })),
  ];
}
