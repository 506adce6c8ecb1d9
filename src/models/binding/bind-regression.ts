import { listOwnOutputs } from '../../inference/analysis/graph-passing.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { createRegressionDecoder } from '../features/decode.js';
import type { Manifest } from '../manifest/manifest.js';
import { isNumeric, onlyOf, requireOutput, typeOf } from './graph-outputs.js';
import { createColumnCounter, type OutputBinding } from './output-binding.js';
import { ColumnsError, columnNames } from './several-columns.js';

const maxShown = 20;

/** Binds the value of a regression: the named output, else the only numeric one. Throws `RefusedError`. */
export function bindRegression(manifest: Manifest, graph: ModelGraph): OutputBinding {
  const { value, names } = manifest.output ?? {};
  const numeric = listOwnOutputs(graph).filter((output) => isNumeric(typeOf(output)));
  const name = value ?? onlyOf(numeric, 'value', graph);
  requireOutput(graph, name, isNumeric, 'a numeric tensor');
  const countColumns = createColumnCounter(name);
  return {
    fetches: [name],
    hasProbabilities: false,
    complete(outputs, rows) {
      const columns = countColumns(outputs, rows);
      if (columns !== (names?.length ?? 1)) {
        const wanted = JSON.stringify({ names: columnNames(name, Math.min(columns, maxShown)) });
        const advice = names
          ? `/output/names has ${names.length}`
          : `name them in metadata.json, "output": ${wanted}${columns > maxShown ? ', and so on' : ''}`;
        throw new ColumnsError(name, columns, `the output ${name} has ${columns} columns a row: ${advice}`);
      }
      return { decode: createRegressionDecoder(name, columns, names) };
    },
  };
}
