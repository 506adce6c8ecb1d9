import { createRegressionDecoder } from '../../inference/decode.js';
import type { ModelGraph } from '../../inference/graph.js';
import { type Manifest, RefusedError } from '../manifest.js';
import { isNumeric, onlyOf, requireOutput, typeOf } from './graph-outputs.js';
import { createColumnCounter, type OutputBinding } from './output-binding.js';

/** Binds the value of a regression: the output that is named, or the only numeric one. Throws `RefusedError`. */
export function bindRegression(manifest: Manifest, graph: ModelGraph): OutputBinding {
  const { value, names } = manifest.output ?? {};
  const numeric = graph.outputs.filter((output) => isNumeric(typeOf(output)));
  const name = value ?? onlyOf(numeric, 'value', graph);
  requireOutput(graph, name, isNumeric, 'a numeric tensor');
  const countColumns = createColumnCounter(name);
  return {
    fetches: [name],
    hasProbabilities: false,
    complete(outputs, rows) {
      const columns = countColumns(outputs, rows);
      if (columns !== (names?.length ?? 1)) {
        const advice = names ? `${names.length} names` : '"output": {"names": [...]} is needed';
        throw new RefusedError(`the output ${name} has ${columns} columns a row: ${advice}`);
      }
      return { decode: createRegressionDecoder(name, columns, names) };
    },
  };
}
