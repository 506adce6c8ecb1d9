import { ServiceError } from '../errors.js';
import type { Task } from '../models/tasks/task.js';
import { parseClientJson } from '../text/client-json.js';
import type { BatchRow } from './answer-rows.js';
import { type ReadRow, refuseJson } from './readers/row-reader.js';

/** Parses rows for a task. A row that is no JSON, or that has failed before, fails alone. */
export function createRowParser({ bodyBounds }: Task): (row: ReadRow) => BatchRow {
  const limits = { ...bodyBounds, fix: 'each row is a body of its own' };
  return (row) => {
    if (row instanceof ServiceError) return { error: row };
    try {
      return { body: parseClientJson(row, () => limits) };
    } catch (error) {
      if (error instanceof ServiceError) return { error };
      throw error;
    }
  };
}

/** For a row of a body that is one JSON text: if the row is no JSON, the body is none. Throws `invalid_json`. */
export function requireJson(row: ReadRow, index: number, parsed: BatchRow): void {
  if (!('error' in parsed) || parsed.error.code === 'invalid_input') return;
  const isBlank = row instanceof Buffer && row.toString('latin1').trim() === '';
  if (isBlank) throw refuseJson(`Row ${index} is missing: there is a comma without a row.`);
  const { code, detail = parsed.error.message } = parsed.error;
  throw new ServiceError(code, { detail: `Row ${index}: ${detail}`, cause: parsed.error });
}
