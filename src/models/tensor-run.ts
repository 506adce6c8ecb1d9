import type { Batcher } from '../inference/batching/batcher.js';
import type { Caller } from '../inference/batching/caller.js';
import type { RunShare } from '../inference/batching/waiter.js';
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
  deadline: number,
  caller: Caller,
): Promise<RunShare> {
  const rows = countRows(run);
  if (rows > mostRows) return runInPieces(batcher, cutRun(run, mostRows), deadline, caller);
  const share = await batcher.run(run, deadline, caller);
  return share.rows === rows ? share : { ...share, outputs: sliceRows(share.outputs, share.index, rows) };
}

/** So many pieces of a request wait at a time: what other clients ask comes between them. */
const mostWaiting = 16;

async function runInPieces(
  batcher: Batcher<TensorRun>,
  pieces: readonly TensorRun[],
  deadline: number,
  caller: Caller,
): Promise<RunShare> {
  let hasFailed = false;
  const connection = {
    // What is left of a request is not run once a piece of it has failed.
    get destroyed() {
      return hasFailed || caller.connection?.destroyed === true;
    },
  };
  const runPiece = async (piece: TensorRun): Promise<RunShare> => {
    const share = await batcher.run(piece, deadline, { ...caller, connection });
    return { ...share, outputs: sliceRows(share.outputs, share.index, countRows(piece)) };
  };
  const shares: RunShare[] = [];
  try {
    for (let k = 0; k < pieces.length; k += mostWaiting) {
      shares.push(...(await Promise.all(pieces.slice(k, k + mostWaiting).map(runPiece))));
    }
  } catch (error) {
    hasFailed = true;
    throw error;
  }
  return {
    ...(shares[0] as RunShare),
    outputs: joinRows(shares.map(({ outputs }) => outputs)),
    runMs: shares.reduce((sum, { runMs }) => sum + runMs, 0),
  };
}
