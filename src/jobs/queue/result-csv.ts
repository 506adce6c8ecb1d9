import { type Problem, ServiceError } from '../../errors.js';
import { toCell } from '../../text/csv-cell.js';
import { describeRowError } from '../../text/row-error.js';
import { nextTurnAlone } from '../../time/slices.js';

type Json = Readonly<Record<string, unknown>>;

/** A column of an answer in the CSV: its name, and where its value is in a result. */
export interface ResultColumn {
  readonly name: string;
  readonly path: readonly string[];
}

/** The error of a row as its result line has it. */
interface StoredError {
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly Problem[];
}

/** Members of a result that stand at the ends of a record. */
const fixed = new Set(['index', 'prediction_id', 'error']);
/** Rows that are converted in one turn of the event loop. */
const rowsInTurn = 256;

/** Converts result lines to CSV with a header (RFC 4180): `index`, the answer in `columns`, `error`, `prediction_id`. */
export async function* toCsv(
  pieces: AsyncIterable<Buffer>,
  columns: readonly ResultColumn[],
): AsyncGenerator<string> {
  yield `${['index', ...columns.map(({ name }) => name), 'error', 'prediction_id'].map(toCell).join()}\n`;
  for await (const piece of pieces) {
    let text = '';
    let rows = 0;
    for (const result of readResults(piece)) {
      text += String(result['index']);
      for (const { path } of columns) text += `,${toCell(path.reduce(member, result as unknown))}`;
      text += `,${toErrorCell(result['error'] as Json | undefined)},${toCell(result['prediction_id'])}\n`;
      rows += 1;
      if (rows % rowsInTurn > 0) continue;
      yield text;
      text = '';
      await nextTurnAlone();
    }
    yield text;
  }
}

/**
 * The columns of an answer if its version is not known any more: those of the first row of the job that has one. An
 * object, such as the probabilities, has a column for each member. Throws `invalid_request` for answers that are tensors.
 */
export async function findColumns(pieces: AsyncIterable<Buffer>): Promise<readonly ResultColumn[]> {
  for await (const piece of pieces) {
    let rows = 0;
    for (const result of readResults(piece)) {
      if (!('error' in result)) return listColumns(result);
      rows += 1;
      if (rows % rowsInTurn === 0) await nextTurnAlone();
    }
  }
  return [{ name: 'prediction', path: ['prediction'] }];
}

function listColumns(result: Json): readonly ResultColumn[] {
  if ('outputs' in result) throw refuseTensors();
  return Object.entries(result)
    .filter(([name]) => !fixed.has(name))
    .flatMap(([name, value]) => {
      if (typeof value !== 'object' || value === null) return [{ name, path: [name] }];
      // `probabilities` has the probability of each class.
      const prefix = name === 'probabilities' ? 'probability' : name;
      return Object.keys(value).map((key) => ({ name: `${prefix}_${key}`, path: [name, key] }));
    });
}

export function refuseTensors(): ServiceError {
  const detail = 'The answers are tensors, which CSV cannot hold: read them as application/x-ndjson.';
  return new ServiceError('invalid_request', { detail });
}

function* readResults(lines: Buffer): Generator<Json> {
  for (let start = 0; start < lines.length; ) {
    const found = lines.indexOf(0x0a, start);
    const end = found < 0 ? lines.length : found;
    yield JSON.parse(lines.toString('utf8', start, end)) as Json;
    start = end + 1;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Json)[name] : undefined;
}

/** The error of a row in one cell. */
function toErrorCell(error: Json | undefined): string {
  if (error === undefined) return '';
  const { code, detail, title: message, errors: problems } = error as unknown as StoredError;
  return toCell(describeRowError({ code, detail, message, problems }));
}
