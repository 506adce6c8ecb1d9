import type { ModelGraph } from './graph.js';

/** Operators that scale a tensor by the range of all its values, those of other rows included. */
const dynamicQuantization = /^DynamicQuantize/;

/**
 * What in a graph makes the answer to a row depend on the other rows of its run, in words, with the way to export it
 * right. Undefined where nothing is known: runs of rows together show the rest.
 */
export function findSharedReason(graph: ModelGraph): string | undefined {
  const nodes = [...graph.nodes, ...graph.nestedNodes];
  const dynamic = nodes.find(({ opType }) => dynamicQuantization.test(opType));
  return (
    dynamic &&
    `${dynamic.opType} scales each row by the largest value among all rows of its run: ` +
      'quantize statically (quantize_static with calibration data) to let rows share runs'
  );
}
