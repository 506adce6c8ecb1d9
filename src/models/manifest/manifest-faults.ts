import { describeValue, pointerToken } from '../../text/describe-value.js';
import { isEncodableText } from '../../text/encodable-text.js';
import { findValueFault } from './feature-value.js';
import { type Feature, type Manifest, maxValues } from './manifest.js';

type OutputKey = keyof NonNullable<Manifest['output']>;

const outputKeys = {
  classification: ['leftOut', 'label', 'probabilities', 'classes', 'threshold', 'activation', 'labelIs'],
  regression: ['leftOut', 'value', 'names'],
  tensor: [],
} as const satisfies Record<Manifest['task'], readonly OutputKey[]>;

/** Contradictions in a manifest, each with its path: those that show without the graph. */
export function* findTaskFaults(manifest: Manifest): Generator<string> {
  const { task, runtime = {}, output = {} } = manifest;
  if (manifest.sha256['model.onnx'] === undefined) yield '/sha256/model.onnx is required';
  const { maxBatchDelayMs = 0, timeoutMs = 1_000 } = runtime;
  // A single row would wait for other rows until its own deadline.
  if (maxBatchDelayMs >= timeoutMs) {
    yield `/runtime/maxBatchDelayMs must be less than timeoutMs, ${timeoutMs}, got ${maxBatchDelayMs}`;
  }
  if (task === 'tensor') {
    for (const key of ['features', 'inputs', 'output'] as const) {
      if (manifest[key] !== undefined) yield `/${key} is not for the task tensor`;
    }
    return;
  }
  if (manifest.features === undefined) yield `/features is required for the task ${task}`;
  const own: readonly string[] = outputKeys[task];
  for (const key of Object.keys(output)) {
    if (!own.includes(key)) yield `/output/${key} is not for the task ${task}`;
  }
  if (output.threshold !== undefined && output.classes !== undefined && output.classes.length !== 2) {
    yield `/output/threshold needs exactly two classes, and there are ${output.classes.length}`;
  }
  if (manifest.inputs !== undefined) yield* findInputFaults(manifest.inputs, manifest.features ?? []);
}

function* findInputFaults(
  inputs: NonNullable<Manifest['inputs']>,
  features: readonly Feature[],
): Generator<string> {
  const names = new Set(features.map((feature) => feature.name));
  const used = new Map<string, string>();
  for (const [input, columns] of Object.entries(inputs)) {
    const path = `/inputs/${pointerToken(input)}`;
    for (const column of columns) {
      if (!names.has(column)) yield `${path} names ${describeValue(column)}, which is not a feature`;
      const earlier = used.get(column);
      if (earlier === path) yield `${path} names ${describeValue(column)} twice`;
      else if (earlier !== undefined) {
        yield `${path} names ${describeValue(column)}, which ${earlier} already uses`;
      }
      used.set(column, path);
    }
  }
  for (const name of names) {
    if (!used.has(name)) yield `/inputs leaves out the feature ${describeValue(name)}`;
  }
}

/** Contradictions in the features, each with its path. */
export function* findFeatureFaults(features: readonly Feature[]): Generator<string> {
  const seen = new Set<string>();
  const values = features.reduce(
    (sum, { enum: list = [], codes = {} }) => sum + list.length + Object.keys(codes).length,
    0,
  );
  if (values > maxValues) yield `/features have over ${maxValues} values in enum and codes`;
  for (const [index, feature] of features.entries()) {
    const at = `/features/${index}`;
    const { name } = feature;
    if (name in Object.prototype) yield `${at}/name must not be ${name}, which every JSON object inherits`;
    if (seen.has(name)) yield `${at}/name ${describeValue(name)} is used twice`;
    seen.add(name);
    for (const fault of findDomainFaults(feature)) yield `${at}${fault}`;
  }
}

function* findDomainFaults(feature: Feature): Generator<string> {
  const { type, minimum, maximum, codes } = feature;
  const isNumeric = type === 'integer' || type === 'number';
  const foreign = [
    ...(isNumeric ? [] : (['minimum', 'maximum'] as const)),
    ...(type === 'string' ? [] : (['enum', 'codes'] as const)),
  ];
  for (const key of foreign) {
    if (feature[key] !== undefined) yield `/${key} is not for the type ${type}`;
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    yield `/minimum ${minimum} is above the maximum ${maximum}`;
  } else if (
    type === 'integer' &&
    Math.ceil(minimum ?? -Number.MAX_VALUE) > Math.floor(maximum ?? Number.MAX_VALUE)
  ) {
    yield `/minimum ${minimum} and the maximum ${maximum} have no whole number between them`;
  }
  const unfit = feature.enum?.find((value) => !isEncodableText(value));
  if (unfit !== undefined)
    yield `/enum must not hold NUL or half a surrogate pair, got ${describeValue(unfit)}`;
  const uncovered = codes && feature.enum?.find((value) => !Object.hasOwn(codes, value));
  if (uncovered !== undefined) yield `/codes has no code for ${describeValue(uncovered)}`;
  for (const key of ['default', 'example'] as const) {
    const fault = feature[key] === undefined ? undefined : findValueFault(feature[key], feature);
    if (fault !== undefined) yield `/${key} ${fault}`;
  }
}
