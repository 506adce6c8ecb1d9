import { maxProblems, type Problem, ServiceError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { CheckedRequest } from '../../models/tasks/task.js';
import { describeValue, isObject, pointerToken } from '../../text/describe-value.js';
import { readList, refuse, type V1Body } from './read-body.js';

/** Maps a JSON pointer within a row to a JSON pointer within the body. */
export type Locate = (row: number, pointer: string) => string;

interface Rows {
  readonly rows: readonly unknown[];
  readonly locate: Locate;
}

/** The features of a row, in order. Null is no value of an `optional` feature: there it counts as left out. */
interface RowShape {
  readonly names: readonly string[];
  readonly optional: ReadonlySet<string>;
}

export interface LocatedRows extends Pick<Rows, 'locate'> {
  readonly requests: readonly CheckedRequest[];
}

/** After this many rows with problems, the check stops. */
const maxBadRows = 20;

/**
 * Checks rows of features: objects by name, or arrays in the manifest's order. Throws `invalid_input` with the problems
 * of all bad rows: one bad row refuses the whole request.
 */
export function checkFeatureRows(body: V1Body, { manifest, task, maxRows }: LoadedVersion): LocatedRows {
  const { features = [] } = manifest;
  const shape: RowShape = {
    names: features.map(({ name }) => name),
    optional: new Set(features.filter((it) => !it.nullable && it.default !== undefined).map((it) => it.name)),
  };
  const { rows, locate } = readRows(body, shape, maxRows);
  const requests: CheckedRequest[] = [];
  const bad: { readonly row: number; readonly error: ServiceError }[] = [];
  for (let row = 0; row < rows.length && bad.length < maxBadRows; row += 1) {
    try {
      requests.push(task.check(toNamed(rows[row], shape)));
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'invalid_input') throw error;
      bad.push({ row, error });
    }
  }
  if (bad.length === 0) return { requests, locate };
  throw new ServiceError('invalid_input', {
    explain() {
      const problems = bad.flatMap(({ row, error }) => [
        ...(error.problems ?? []).map((it) => ({ ...it, pointer: locate(row, it.pointer) })),
        ...findBytes(rows[row], (pointer) => locate(row, pointer)),
      ]);
      const detail = `${bad.length} of ${rows.length} rows do not fit`;
      return { detail, problems: problems.slice(0, maxProblems) };
    },
  });
}

function readRows({ form, value }: V1Body, shape: RowShape, maxRows: number): Rows {
  if (form === 'inputs' && isObject(value)) return readColumns(value, shape, maxRows);
  const rows = readList(value, `/${form}`, maxRows);
  return { rows, locate: (row, pointer) => `/${form}/${row}${pointer}` };
}

/** Columns by name, all of one length. An unknown column is kept, so that the check of the row can name it. */
function readColumns(
  columns: Readonly<Record<string, unknown>>,
  { names, optional }: RowShape,
  maxRows: number,
): Rows {
  const [first = names[0] as string] = Object.keys(columns);
  const given = Object.entries(columns).slice(0, names.length + maxProblems);
  const { length } = readList(columns[first], `/inputs/${pointerToken(first)}`, maxRows);
  const problems: Problem[] = given.flatMap(([name, column]) => {
    if (Array.isArray(column) && column.length === length) return [];
    const got = Array.isArray(column) ? `one of ${column.length}` : describeValue(column);
    const message = `must be an array of ${length} values, as ${first} is, got ${got}`;
    return [{ pointer: `/inputs/${pointerToken(name)}`, message }];
  });
  if (problems.length > 0) throw refuse(problems.slice(0, maxProblems));
  return {
    rows: Array.from({ length }, (_unused, row) => {
      const values = given.map(([name, column]) => [name, (column as readonly unknown[])[row]] as const);
      return Object.fromEntries(values.filter(([name, value]) => value !== null || !optional.has(name)));
    }),
    locate: (row, pointer) => `/inputs${pointer}/${row}`,
  };
}

/** A row by name. An array has one value for each feature. If there is one feature, a bare value is a row too. */
function toNamed(value: unknown, { names, optional }: RowShape): unknown {
  if (!Array.isArray(value)) {
    return names.length === 1 && !isObject(value) ? { [names[0] as string]: value } : value;
  }
  if (value.length !== names.length) {
    const order = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
    const message = `must have ${names.length} values, in the order ${order}; got ${value.length}`;
    throw refuse([{ pointer: '', message }]);
  }
  // A plain object is safe: a manifest with a feature such as `constructor` is refused.
  const row: Record<string, unknown> = {};
  for (let k = 0; k < names.length; k += 1) {
    const name = names[k] as string;
    if (value[k] !== null || !optional.has(name)) row[name] = value[k];
  }
  return row;
}

/** TensorFlow Serving accepts bytes as `{"b64": "…"}`; this server does not. */
function findBytes(row: unknown, locate: (pointer: string) => string): readonly Problem[] {
  const values = isObject(row) || Array.isArray(row) ? Object.entries(row) : [['', row] as const];
  return values.slice(0, maxProblems).flatMap(([name, value]) => {
    if (!isObject(value) || typeof value['b64'] !== 'string') return [];
    const pointer = locate(name === '' ? '' : `/${pointerToken(name)}`);
    return [{ pointer, message: '{"b64": …} is not decoded here: send a text as it is' }];
  });
}
