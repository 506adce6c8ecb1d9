import { errorCatalogue, ServiceError } from '../../../errors.js';
import type { Prediction } from '../../../models/tasks/task.js';
import type { AnswerColumn } from '../rows/answer-columns.js';
import { describeRowError, type OutputRow } from '../rows/batch-row.js';
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
        outcome instanceof ServiceError ? `,"error":${toErrorJson(outcome)}}\n` : `,${outcome.fieldsJson}}\n`;
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
        for (const value of listKept(kept, names)) text += `,${toCell(value)}`;
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

function toErrorJson(error: ServiceError): string {
  const { code, detail, problems } = error;
  return JSON.stringify({
    code,
    title: errorCatalogue[code].title,
    detail,
    errors: problems?.length ? problems : undefined,
  });
}

const needsQuotes = /[",\r\n]|^$/;

/** An empty text is quoted, since an empty field is null. */
function toCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : toJson(value);
  return needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
