import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { codeOf, RefusedError } from '../../errors.js';
import type { CliContext } from '../terminal/command.js';
import { type Line, LineSplitter } from './line-splitter.js';
import { readLogFile } from './log-file.js';

/** One line of a prediction log that has all members of one. `request` and `prediction` may be missing. */
export interface LoggedPrediction {
  readonly time: string;
  readonly prediction_id: string;
  readonly model: string;
  readonly model_version: string;
  readonly status: string;
  readonly latency_ms: number;
  /** Missing in lines of older servers, which are `online`. */
  readonly source?: unknown;
  readonly request?: unknown;
  readonly redacted?: unknown;
  readonly prediction?: unknown;
  readonly probability?: unknown;
  readonly probabilities?: unknown;
}

/**
 * `broken`: no JSON, too long, or nested too deeply; `cut`: the last line of a file, without its end; `other`: JSON, but
 * no prediction.
 */
export type LogLine = LoggedPrediction | 'broken' | 'cut' | 'other';

/** The longest line that the server writes is far shorter. */
const maxLineBytes = 4_194_304;
/** The server writes no deeper requests and answers. */
const maxDepth = 16;
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
  const take = (rows: readonly Line[], isLast: boolean): readonly LogLine[] => {
    const lines = rows.map((row) => toLine(row, isLast));
    if (hasFound) return lines;
    hasFound = lines.some((line) => typeof line === 'object');
    foreign += lines.length;
    if (!hasFound && foreign >= maxForeignLines) throw refuseForeign(name);
    return lines;
  };
  const reader = new LineSplitter(maxLineBytes);
  const pieces = path === '-' ? readStandardInput(stdin) : readLogFile(path);
  for await (const piece of unpack(pieces, name)) yield take(reader.push(piece), false);
  yield take(reader.end(), true);
  if (!hasFound && foreign > 0) throw refuseForeign(name);
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

async function* readStandardInput(stdin: CliContext['stdin']): AsyncGenerator<Buffer, void> {
  for await (const piece of stdin ?? []) yield Buffer.from(piece);
}

async function* join(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function toLine(line: Line, isLast: boolean): LogLine {
  if (line === 'long') return 'broken';
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch {
    return isLast ? 'cut' : 'broken';
  }
  if (!isPrediction(value)) return 'other';
  const { request, prediction, probabilities } = value;
  return [request, prediction, probabilities].every((it) => isShallow(it, maxDepth)) ? value : 'broken';
}

function isPrediction(value: unknown): value is LoggedPrediction {
  if (typeof value !== 'object' || value === null) return false;
  const line = value as Record<string, unknown>;
  const { latency_ms: ms } = line;
  // JSON has 1e400, which is infinite.
  return (
    members.every((name) => typeof line[name] === 'string') && typeof ms === 'number' && ms >= 0 && ms < 1e12
  );
}

/** A value that is nested deeper cannot be printed: JSON.stringify is recursive. */
function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((it) => isShallow(it, depth - 1));
}

function refuseForeign(name: string): RefusedError {
  return new RefusedError(
    `${name} is no prediction log: it has no line with ${members.join(', ')}. PREDICTION_LOG writes one`,
  );
}
