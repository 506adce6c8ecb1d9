import { ServiceError } from '../../../errors.js';
import type { AnswerColumn } from '../../../models/tasks/answer-columns.js';
import type { Prediction } from '../../../models/tasks/task.js';
import { toRowErrorJson } from '../../../schemas/batch.js';
import { toCell } from '../../../text/csv-cell.js';
import { describeRowError } from '../../../text/row-error.js';
import type { OutputRow } from '../rows/batch-row.js';
import { listKept } from '../rows/kept-members.js';
import { toJson } from '../rows/loose-json.js';

/** Writes the rows of the output as text. `head` comes before all rows. */
export interface TextRows {
  head(): string;
  toText(rows: readonly OutputRow[]): string;
}

/** A JSON object a line, with the members of a result of `POST /predict/batch` but its id. */
export const lineRows: TextRows = {
  head: () => '',
  toText(rows) {
    let text = '';
    for (const { index, kept, outcome } of rows) {
      text += `{"index":${index}`;
      if (kept !== undefined) {
        const members = toJson(kept).slice(1, -1);
        if (members !== '') text += `,${members}`;
      }
      text +=
        outcome instanceof ServiceError
          ? `,"error":${toRowErrorJson(outcome)}}\n`
          : `,${outcome.fieldsJson}}\n`;
    }
    return text;
  },
};

/** CSV with a header (RFC 4180). `keptColumns` gives the names of the columns that are carried over. */
export function createCsvRows(
  columns: readonly AnswerColumn[],
  keptColumns: () => readonly string[],
): TextRows {
  const blank = ','.repeat(columns.length - 1);
  return {
    head: () =>
      `${['index', ...keptColumns(), ...columns.map(({ name }) => name), 'error'].map(toCell).join()}\n`,
    toText(rows) {
      const names = keptColumns();
      let text = '';
      for (const { index, kept, outcome } of rows) {
        text += index;
        for (const value of listKept(kept, names)) text += `,${toTextCell(value)}`;
        if (outcome instanceof ServiceError) {
          text += `,${blank},${toCell(describeRowError(outcome))}\n`;
          continue;
        }
        const value = outcome.value as Prediction;
        for (const column of columns) text += `,${toCell(column.read(value))}`;
        text += ',\n';
      }
      return text;
    },
  };
}

/** A list or an object that is carried over becomes JSON. */
function toTextCell(value: unknown): string {
  return toCell(typeof value === 'object' && value !== null ? toJson(value) : value);
}
