import type { Batcher, RunContext } from '../../inference/batching/batcher.js';
import type { RowOutput } from '../../inference/batching/pending-row.js';
import { countRows, cutRun, joinRows, sliceRows } from './tensor-rows.js';
import type { TensorRun } from './tensor-task.js';

/**
 * Runs a request and gives its own outputs: out of a run that it shared with others, or out of several where it has
 * more rows than one run may have. Throws as `Batcher.run` does.
 */
export async function runWhole(
  batcher: Batcher<TensorRun>,
  run: TensorRun,
  mostRows: number,
  call: RunContext,
): Promise<RowOutput> {
  const rows = countRows(run);
  if (rows > mostRows) return runInPieces(batcher, cutRun(run, mostRows), call);
  const share = await batcher.run(run, call);
  const { outputs, timing } = share;
  return timing.batchRows === rows ? share : { outputs: sliceRows(outputs, timing.batchIndex, rows), timing };
}

/** So many pieces of a request wait at a time: what other clients ask comes between them. */
const maxWaiting = 16;

async function runInPieces(
  batcher: Batcher<TensorRun>,
  pieces: readonly TensorRun[],
  call: RunContext,
): Promise<RowOutput> {
  let hasFailed = false;
  const connection = {
    // What is left of a request is not run once a piece of it has failed.
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
    },
  };
}
