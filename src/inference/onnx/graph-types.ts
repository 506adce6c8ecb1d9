import type { AttributeValue, GraphNode, ModelGraph } from './read-graph.js';
import { toElementType } from './value-type.js';

/** The type of a Constant's value; undefined if it has two values, since only the engine knows which one it uses. */
export function constantType({ attributes }: GraphNode): string | undefined {
  if (attributes.size !== 1) return undefined;
  const value = attributes.get('value');
  if (value?.kind === 'tensor') return value.dataType;
  const [name = ''] = attributes.keys();
  return {
    value_float: 'float32',
    value_floats: 'float32',
    value_int: 'int64',
    value_ints: 'int64',
    value_string: 'string',
    value_strings: 'string',
  }[name];
}

export function chooseOutputs(
  node: GraphNode,
  ways: readonly (readonly string[])[],
): readonly string[] | undefined {
  if (ways.length <= 1) return ways[0];
  const wanted = wantedType(node);
  return ways.find(([first]) => first === wanted);
}

const defaults: Readonly<Record<string, string>> = {
  ConstantOfShape: 'float32',
  HannWindow: 'float32',
  HammingWindow: 'float32',
  BlackmanWindow: 'float32',
  QuantizeLinear: 'uint8',
  Multinomial: 'int32',
};

function wantedType({ opType, attributes }: GraphNode): string | undefined {
  for (const name of ['to', 'dtype', 'output_datatype', 'output_dtype']) {
    const value = attributes.get(name);
    if (value?.kind === 'int' && value.value !== 0) return toElementType(value.value);
  }
  for (const name of ['value', 'values_tensor']) {
    const value = attributes.get(name);
    if (value?.kind === 'tensor') return value.dataType;
  }
  if (isFilled(attributes.get('values_strings')) || isFilled(attributes.get('classlabels_strings')))
    return 'string';
  if (isFilled(attributes.get('values_floats'))) return 'float32';
  const labels = ['values_int64s', 'classlabels_int64s', 'classlabels_ints'];
  if (labels.some((name) => isFilled(attributes.get(name)))) return 'int64';
  return defaults[opType];
}

const isFilled = (value: AttributeValue | undefined) =>
  (value?.kind === 'strings' || value?.kind === 'floats' || value?.kind === 'ints') &&
  value.read().length > 0;

/** Operators that pass elements on unchanged. A Cast is none: 2^32 is 0 as int32. */
const passing = new Set(['Identity', 'Unsqueeze', 'Squeeze', 'Reshape', 'Flatten']);
const maxSteps = 8;

/** The elements of a constant, if they are few integers in the model file itself. */
export function readConstant(name: string, graph: ModelGraph): readonly number[] | undefined {
  let at = name;
  for (let step = 0; step < maxSteps; step += 1) {
    const initializer = graph.initializers.get(at);
    if (initializer !== undefined) return initializer.readIntegers();
    const node = graph.producers.get(at);
    if (node?.opType === 'Constant' && node.domain === '') return readAttribute(node);
    if (node === undefined || node.domain !== '' || !passing.has(node.opType)) return undefined;
    at = node.inputs[0] ?? '';
  }
  return undefined;
}

function readAttribute({ attributes }: GraphNode): readonly number[] | undefined {
  if (attributes.size !== 1) return undefined;
  const value = attributes.get('value') ?? attributes.get('value_int') ?? attributes.get('value_ints');
  if (value?.kind === 'tensor') return value.readIntegers();
  if (value?.kind === 'int') return [value.value];
  return value?.kind === 'ints' ? value.read() : undefined;
}
