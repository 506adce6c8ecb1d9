import { RefusedError, ServiceError } from '../../../errors.js';
import { pointerToken } from '../../../text/describe-value.js';
import type { InputRow, Kept } from './batch-row.js';

/** What a row of the input carries over: members that are no features, or all members; undefined for nothing. */
export type KeepMode = 'others' | 'all' | undefined;

/** Splits rows of the input into what the model gets and what is carried over. */
export interface RowSplitter {
  /** The names of the members that rows carry over; undefined while each row may have its own. */
  readonly columns: readonly string[] | undefined;
  /** Names the columns of the input before its first row. Throws `RefusedError` for a name of the output. */
  setColumns(names: readonly string[]): void;
  split(body: unknown): InputRow;
}

/**
 * `known` are the members for the model, and `reserved` the names of the output. With `isTable` the first row decides
 * which members there are, if `setColumns` does not.
 */
export function createRowSplitter(
  mode: KeepMode,
  known: ReadonlySet<string>,
  reserved: ReadonlySet<string>,
  isTable: boolean,
): RowSplitter {
  let columns: readonly string[] | undefined = mode === undefined ? [] : undefined;
  let allowed: ReadonlySet<string> | undefined;
  const isKept = (name: string): boolean => mode === 'all' || !known.has(name);
  const decide = (names: readonly string[]): void => {
    columns = names.filter(isKept);
    allowed = new Set(columns);
  };
  return {
    get columns() {
      return columns;
    },
    setColumns(names) {
      if (mode === undefined) return;
      const taken = names.find((name) => reserved.has(name) && isKept(name));
      if (taken !== undefined) {
        throw new RefusedError(
          `the column ${taken} of the input has the name of a column of the output: rename it`,
        );
      }
      decide(names);
    },
    split(body) {
      if (mode === undefined || typeof body !== 'object' || body === null || Array.isArray(body))
        return { body };
      if (isTable && allowed === undefined) decide(Object.keys(body).filter((name) => !reserved.has(name)));
      const row: Record<string, unknown> = {};
      const kept: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(body)) {
        if (known.has(name)) set(row, name, value);
        if (!isKept(name)) continue;
        if (reserved.has(name)) return refuse(name, 'is the name of a column of the output: rename it');
        if (allowed !== undefined && !allowed.has(name)) {
          return refuse(name, 'is no member of the first row, whose members are the columns of the output');
        }
        set(kept, name, value);
      }
      return { body: row, kept };
    },
  };
}

function refuse(name: string, message: string): InputRow {
  const problems = [{ pointer: `/${pointerToken(name)}`, message }];
  return { error: new ServiceError('invalid_input', { detail: '1 problem', problems }) };
}

/** Assigning `__proto__` would change the object's prototype instead. */
function set(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(target, name, { value, enumerable: true });
  else target[name] = value;
}

/** The members of a row in the order of the columns of a table. */
export function listKept(kept: Kept | undefined, columns: readonly string[]): readonly unknown[] {
  return columns.map((name) => (kept !== undefined && Object.hasOwn(kept, name) ? kept[name] : null));
}
