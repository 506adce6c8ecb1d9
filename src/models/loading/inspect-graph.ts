import { RefusedError } from '../../errors.js';
import { findSharedName, findTreeFaultInSlices } from '../../inference/analysis/tree-faults.js';
import {
  findZipMapFault,
  readServedGraphInSlices,
  type ServedGraph,
} from '../../inference/onnx/served-graph.js';
import { nextTurn } from '../../time/slices.js';

/** Reads the graph. Throws `RefusedError` if the graph would crash the engine. */
export async function inspectGraph(model: Uint8Array): Promise<ServedGraph> {
  const served = await readServedGraphInSlices(model);
  const fault = (await findTreeFaultInSlices(served.graph)) ?? findZipMapFault(served.graph);
  if (fault !== undefined) throw new RefusedError(`model.onnx: ${fault}`);
  await nextTurn();
  const shared = findSharedName(served.graph);
  if (shared !== undefined) {
    const name = JSON.stringify(shared);
    throw new RefusedError(`model.onnx has two values with the name ${name}: rename one of them`);
  }
  return served;
}
