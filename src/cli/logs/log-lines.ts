import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { codeOf, RefusedError } from '../../errors.js';
import { createLineReader } from '../../jobs/readers/line-reader.js';
import type { ReadRow } from '../../jobs/readers/row-reader.js';
import type { CliContext } from '../terminal/command.js';

/** One line of a prediction log that has all members of one. `request` and `prediction` may be missing. */
export interface LoggedPrediction {
  readonly time: string;
  readonly prediction_id: string;
  readonly model: string;
  readonly model_version: string;
  readonly status: string;
  readonly latency_ms: number;
  readonly request?: unknown;
  readonly redacted?: unknown;
  readonly prediction?: unknown;
  readonly probability?: unknown;
  readonly probabilities?: unknown;
}

/** `broken`: no JSON; `cut`: the last line of a file, without its end; `other`: JSON, but no prediction. */
export type LogLine = LoggedPrediction | 'broken' | 'cut' | 'other';

/** The longest line that the server writes is far shorter. */
const bounds = { maxRowBytes: 4_194_304 };
const pieceBytes = 262_144;
/** A file without any prediction in so many lines is no prediction log. */
const maxForeignLines = 1_000;
const members = ['time', 'prediction_id', 'model', 'model_version', 'status'] as const;

/**
 * Reads a prediction log: lines of JSON, compressed with gzip or not. A path of `-` is standard input. Yields the lines
 * of each piece of the file, in order. Throws `RefusedError` for a file that cannot be read, and for one that is no
 * prediction log.
 */
export async function* readLog(path: string, stdin: CliContext['stdin']): AsyncGenerator<readonly LogLine[]> {
  const name = path === '-' ? 'standard input' : path;
  let foreign = 0;
  let hasFound = false;
  const take = (rows: readonly ReadRow[], isLast: boolean): readonly LogLine[] => {
    const lines = rows.map((row) => toLine(row, isLast));
    if (hasFound) return lines;
    hasFound = lines.some((line) => typeof line === 'object');
    foreign += lines.length;
    if (!hasFound && foreign >= maxForeignLines) throw refuseForeign(name);
    return lines;
  };
  const reader = createLineReader(bounds);
  const pieces = path === '-' ? readStandardInput(stdin) : readFilePieces(path);
  for await (const piece of unpack(pieces, name)) yield take(reader.push(piece), false);
  yield take(reader.end(), true);
  if (!hasFound && foreign > 0) throw refuseForeign(name);
}

async function openLog(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (cause) {
    const code = codeOf(cause);
    throw new RefusedError(code === 'ENOENT' ? `${path} is not there` : `${path} cannot be read (${code})`, {
      cause,
    });
  }
}

async function* unpack(pieces: AsyncGenerator<Buffer, void>, name: string): AsyncGenerator<Buffer> {
  const first = await pieces.next();
  if (first.done === true) return;
  const all = join(first.value, pieces);
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* all;
    return;
  }
  const gunzip = createGunzip({ chunkSize: pieceBytes });
  // An error of the pipeline ends the loop over `gunzip`.
  pipeline(all, gunzip, () => undefined);
  try {
    yield* gunzip;
  } catch (cause) {
    if (!codeOf(cause).startsWith('Z_')) throw cause;
    throw new RefusedError(`${name} is not valid gzip, or it ends too early`, { cause });
  }
}

/** Not a stream: one that is not read to its end would keep the file from its close. */
async function* readFilePieces(path: string): AsyncGenerator<Buffer, void> {
  const handle = await openLog(path);
  try {
    if ((await handle.stat()).isDirectory()) throw new RefusedError(`${path} is a folder: name its files`);
    for (;;) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.allocUnsafeSlow(pieceBytes),
        0,
        pieceBytes,
        null,
      );
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function* readStandardInput(stdin: CliContext['stdin']): AsyncGenerator<Buffer, void> {
  for await (const piece of stdin ?? []) yield Buffer.from(piece);
}

async function* join(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function toLine(row: ReadRow, isLast: boolean): LogLine {
  if (!(row instanceof Buffer)) return 'broken';
  let value: unknown;
  try {
    value = JSON.parse(row.toString());
  } catch {
    return isLast ? 'cut' : 'broken';
  }
  return isPrediction(value) ? value : 'other';
}

function isPrediction(value: unknown): value is LoggedPrediction {
  if (typeof value !== 'object' || value === null) return false;
  const line = value as Record<string, unknown>;
  return members.every((name) => typeof line[name] === 'string') && typeof line['latency_ms'] === 'number';
}

function refuseForeign(path: string): RefusedError {
  return new RefusedError(
    `${path} is no prediction log: it has no line with ${members.join(', ')}. PREDICTION_LOG writes one`,
  );
}
