import type { Batcher, RunContext } from '../../inference/batching/batcher.js';
import type { RowOutput } from '../../inference/batching/pending-row.js';
import { countRows, cutRun, joinRows, sliceRows } from './tensor-rows.js';
import type { TensorRun } from './tensor-task.js';

/**
 * Runs a request and returns its own rows of the outputs: from a run that it shares with other requests, or from
 * several runs if it has more than `maxRunRows` rows. Throws as `Batcher.run` does.
 */
export async function runWhole(
  batcher: Batcher<TensorRun>,
  run: TensorRun,
  maxRunRows: number,
  call: RunContext,
): Promise<RowOutput> {
  const rows = countRows(run);
  if (rows > maxRunRows) return runInPieces(batcher, cutRun(run, maxRunRows), call);
  const share = await batcher.run(run, call);
  const { outputs, timing } = share;
  return timing.batchRows === rows ? share : { outputs: sliceRows(outputs, timing.batchIndex, rows), timing };
}

/** Pieces of one request that wait at a time, so that other requests run between them. */
const maxWaiting = 16;

async function runInPieces(
  batcher: Batcher<TensorRun>,
  pieces: readonly TensorRun[],
  call: RunContext,
): Promise<RowOutput> {
  let hasFailed = false;
  const connection = {
    // After one piece of a request has failed, its other pieces are not run.
    get destroyed() {
      return hasFailed || call.connection?.destroyed === true;
    },
  };
  const runPiece = async (piece: TensorRun): Promise<RowOutput> => {
    const { outputs, timing } = await batcher.run(piece, { ...call, connection });
    return { outputs: sliceRows(outputs, timing.batchIndex, countRows(piece)), timing };
  };
  const shares: RowOutput[] = [];
  try {
    for (let k = 0; k < pieces.length; k += maxWaiting) {
      shares.push(...(await Promise.all(pieces.slice(k, k + maxWaiting).map(runPiece))));
    }
  } catch (error) {
    hasFailed = true;
    throw error;
  }
  return {
    outputs: joinRows(shares.map(({ outputs }) => outputs)),
    timing: {
      ...(shares[0] as RowOutput).timing,
      runMs: shares.reduce((sum, { timing }) => sum + timing.runMs, 0),
      endedAt: shares.reduce((last, { timing }) => Math.max(last, timing.endedAt), 0),
      runs: shares.map(({ timing }) => timing),
    },
  };
}
