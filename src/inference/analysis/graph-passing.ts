import type { GraphNode, GraphValue, ModelGraph } from '../onnx/read-graph.js';

/** Operators that pass the values of their first input on, in another form or only some of them. */
const passing = new Set(
  'Cast CastLike Reshape Squeeze Unsqueeze Flatten Transpose Dropout Slice Split Gather Expand Tile'.split(
    ' ',
  ),
);
/** Operators with which ML.NET and scikit-learn recode one input or join several. */
const joining = new Set(
  'Identity Concat ai.onnx.ml:LabelEncoder ai.onnx.ml:FeatureVectorizer ai.onnx.ml:CategoryMapper'.split(' '),
);
const maxSteps = 256;

/** The outputs that only pass inputs of the graph on; empty if all outputs do. */
export function findPassedOn(graph: ModelGraph): ReadonlySet<string> {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const passed = graph.outputs.filter(({ name }) => isPassedOn(name, producers, inputs));
  return new Set(passed.length === graph.outputs.length ? [] : passed.map(({ name }) => name));
}

/** The outputs that can be a prediction: no input that is passed on, and no second name of another output. */
export function listOwnOutputs(graph: ModelGraph): readonly GraphValue[] {
  const passed = findPassedOn(graph);
  const names = new Set(graph.outputs.map(({ name }) => name));
  return graph.outputs.filter(({ name }) => {
    const zipMap = graph.zipMaps?.get(name);
    return !passed.has(name) && !(zipMap !== undefined && names.has(zipMap.input));
  });
}

function isPassedOn(
  output: string,
  producers: ReadonlyMap<string, GraphNode>,
  inputs: ReadonlySet<string>,
): boolean {
  const waiting = [output];
  const seen = new Set(waiting);
  let hasInput = false;
  for (let step = 0; step < waiting.length; step += 1) {
    if (step === maxSteps) return false;
    const value = waiting[step] as string;
    const node = producers.get(value);
    if (inputs.has(value)) hasInput = true;
    if (node === undefined) continue;
    const operator = node.domain === '' ? node.opType : `${node.domain}:${node.opType}`;
    if (operator === 'Constant') continue;
    if (!passing.has(operator) && !joining.has(operator)) return false;
    for (const input of passing.has(operator) ? node.inputs.slice(0, 1) : node.inputs) {
      if (!seen.has(input)) waiting.push(input);
      seen.add(input);
    }
  }
  return hasInput;
}
