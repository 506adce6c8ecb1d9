import { ServiceError } from '../errors.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { Registry } from '../models/registry/registry.js';
import type { BatchRow } from './answer-rows.js';
import type { BatchPredictor, RowOutcome } from './batch-predictor.js';
import { ChunkText } from './chunk-text.js';
import { createRowParser } from './parse-row.js';
import type { JobSpec } from './queue/job.js';
import { type ChunkRows, JobFailedError, type RunChunk } from './queue/job-store.js';
import { readLines } from './queue/spool.js';

/** The results of some rows as lines of JSON. `from` is the index of the first row. */
export type ToResultLines = (from: number, outcomes: readonly RowOutcome[]) => string;

/** The rows of a chunk wait while single rows come: a busy server must not fail a job. Runs have the version's limit. */
const limitMs = 86_400_000;

/**
 * Runs chunks of jobs as the rows of a batch request are run: each row alone, below the rows of other requests. The
 * results of a chunk are put together in a text that `openText` makes.
 */
export function createChunkRunner(
  registry: Pick<Registry, 'lease'>,
  predictor: BatchPredictor,
  toLines: ToResultLines,
  openText = () => new ChunkText(),
): RunChunk {
  return async ({ job, claim, firstRow, rows }) => {
    const text = openText();
    let [next, failed] = [firstRow, 0];
    const caller = { arrivedAt: performance.now(), connection: claim, requestId: job.requestId };
    const request = {
      requestId: job.requestId,
      keyId: job.owner || undefined,
      caller,
      limitMs,
      source: 'job' as const,
    };
    const loaded = lease(registry, job);
    try {
      await predictor.predict(loaded, request, readChunk(rows, loaded, predictor), (outcomes) => {
        text.add(toLines(next, outcomes));
        next += outcomes.length;
        failed += outcomes.filter((it) => 'error' in it).length;
      });
    } finally {
      loaded.release();
    }
    return { lines: text.bytes, completed: next - firstRow - failed, failed };
  };
}

async function* readChunk(
  rows: ChunkRows,
  { task }: LoadedVersion,
  predictor: BatchPredictor,
): AsyncGenerator<readonly BatchRow[]> {
  const parse = createRowParser(task);
  let turn: BatchRow[] = [];
  let turnRows = predictor.turnRows;
  for (const line of readLines(await rows.load())) {
    turn.push(parse(line));
    if (turn.length < turnRows) continue;
    yield turn;
    turn = [];
    turnRows = predictor.turnRows;
  }
  if (turn.length > 0) yield turn;
}

/** A version that is gone does not come back: its job ends. */
function lease(registry: Pick<Registry, 'lease'>, { model, version, identity }: JobSpec): LoadedVersion {
  let loaded: LoadedVersion;
  try {
    loaded = registry.lease(model, version);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code } = error;
    if (code !== 'model_not_found' && code !== 'version_not_found') throw error;
    const detail = `${model} ${version} is not on this server any more.`;
    throw new JobFailedError({ code, detail }, { isLocal: true });
  }
  if (loaded.identity === identity) return loaded;
  loaded.release();
  const detail = `The files of ${model} ${version} have changed since the job was accepted.`;
  throw new JobFailedError({ code: 'version_not_found', detail });
}
