import { RefusedError, ServiceError } from '../../../errors.js';
import type { OutputRow } from '../rows/batch-row.js';
import type { RowSplitter } from '../rows/kept-members.js';
import type { RowOutput } from './row-output.js';

/** Each of these rows has failed, and takes about a kilobyte. */
const maxHeldRows = 10_000;

/**
 * A table whose columns are known from the first row with members on. The rows before it have failed; they are held
 * until then, or until the end. Throws `RefusedError` from `write` if there are too many.
 */
export function holdUntilColumns(output: RowOutput, splitter: RowSplitter): RowOutput {
  let held: OutputRow[] = [];
  const release = async (): Promise<void> => {
    const rows = held;
    held = [];
    if (rows.length > 0) await output.write(rows);
  };
  return {
    get canPause() {
      return held.length === 0 && output.canPause;
    },
    get state() {
      return output.state;
    },
    async write(rows) {
      if (splitter.columns === undefined) {
        for (const row of rows) held.push(withoutBody(row));
        if (held.length <= maxHeldRows) return;
        throw new RefusedError(
          `none of the first ${maxHeldRows} rows is an object, whose members are the columns that are kept: remove these rows, leave the option out, or write ndjson`,
        );
      }
      await release();
      await output.write(rows);
    },
    async flush() {
      if (held.length === 0) await output.flush();
    },
    async end() {
      await release();
      await output.end();
    },
  };
}

/** A failure that is explained on demand has the body of its row. */
function withoutBody(row: OutputRow): OutputRow {
  const { outcome } = row;
  if (!(outcome instanceof ServiceError)) return row;
  const { code, detail, problems } = outcome;
  return {
    ...row,
    outcome: new ServiceError(code, {
      ...(detail !== undefined && { detail }),
      ...(problems !== undefined && { problems }),
    }),
  };
}
