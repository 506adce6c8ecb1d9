import { RefusedError } from '../../errors.js';
import type { GraphValue, ModelGraph } from '../../inference/onnx/read-graph.js';
import { maxRank } from '../../inference/tensors/json-read.js';
import { countArrays, maxArrays } from '../../inference/tensors/json-write.js';
import {
  type ElementType,
  elementTypes,
  fitsType,
  isFloatType,
  sizeOf,
} from '../../inference/tensors/tensor.js';
import { describeShape, describeValue } from '../../text/describe-value.js';
import { isEncodableText } from '../../text/encodable-text.js';
import type { Column, EncodedInput } from '../features/encode.js';
import type { TypedFeature } from '../features/feature-schema.js';
import { categoriesOf, findValueFault, nearestToZero } from '../manifest/feature-value.js';
import type { Feature, Manifest } from '../manifest/manifest.js';
import { listed } from './graph-outputs.js';

/** Which feature fills which column of which input of the graph. */
export interface InputBinding {
  readonly inputs: readonly EncodedInput[];
  /** The features in the manifest's order, each with the type of its tensor. */
  readonly typed: readonly TypedFeature[];
  /** The rows of every run, if the graph fixes them. */
  readonly fixedRows?: number;
}

/** The limit of `maxBatchRows` in a manifest. */
const maxRows = 65_536;

/** Binds the features of a manifest to the inputs of a graph. Throws `RefusedError` that names what does not fit. */
export function bindInputs(manifest: Manifest, graph: ModelGraph): InputBinding {
  const features = new Map((manifest.features ?? []).map((feature) => [feature.name, feature]));
  const columnsOf = manifest.inputs ?? deriveInputs(features, graph.inputs);
  const known = new Set(graph.inputs.map((input) => input.name));
  for (const name of Object.keys(columnsOf)) {
    if (!known.has(name)) {
      throw new RefusedError(`/inputs names ${name}, but the graph has ${listNames(graph.inputs)}`);
    }
  }
  const types = new Map<string, ElementType>();
  const batches = new Set<number>();
  const inputs = graph.inputs.map((input): EncodedInput => {
    const type = tensorTypeOf(input);
    checkInputSize(input, type);
    const names = columnsOf[input.name];
    if (names === undefined)
      throw new RefusedError(`no feature fills the graph's input ${input.name}: list it in /inputs`);
    const columns = names.map((name) => {
      const feature = features.get(name) as Feature;
      types.set(name, type);
      return bindColumn(feature, type, input.name);
    });
    const batch = input.shape?.[0];
    if (typeof batch === 'number') batches.add(batch);
    return { name: input.name, type, rowDims: bindRowDims(input, columns.length), columns };
  });
  if (batches.size > 1)
    throw new RefusedError(`the inputs fix different numbers of rows: ${[...batches].join(', ')}`);
  const [fixedRows] = batches;
  if (fixedRows !== undefined && (fixedRows < 1 || fixedRows > maxRows)) {
    const allowed = fixedRows < 1 ? '' : `, and at most ${maxRows} are possible`;
    throw new RefusedError(`the graph fixes its batch at ${fixedRows} rows${allowed}`);
  }
  const typed = [...features.values()].map((feature) => ({
    feature,
    type: types.get(feature.name) as ElementType,
  }));
  return { inputs, typed, ...(fixedRows !== undefined && { fixedRows }) };
}

/** The tensor type of an input or output. Throws `RefusedError` for a type that no tensor of this server can hold. */
export function tensorTypeOf(value: GraphValue): ElementType {
  // Tensors are members of objects by their names, and this name would replace the prototype.
  if (value.name === '__proto__') throw new RefusedError('a tensor named __proto__ cannot be served');
  const type = elementTypes.find((known) => value.kind === 'tensor' && known === value.elementType);
  if (type !== undefined) return type;
  const kind =
    value.kind === 'tensor'
      ? `a tensor of ${value.elementType ?? 'an unknown type'}`
      : `of kind ${value.kind}`;
  throw new RefusedError(
    `${value.name} is ${kind}, which cannot be served; tensors of ${elementTypes.join(', ')} can`,
  );
}

/** Limits of one input in one run: 64 MB of float32. Texts take more memory for each element. */
const maxElements = 16_777_216;
const maxTexts = 1_048_576;

/**
 * Throws `RefusedError` for an input whose fixed dimensions alone are too large for a request. Loading a model begins
 * with such a request.
 */
export function checkInputSize({ name, shape = [] }: GraphValue, type: ElementType): void {
  const fixed = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
  // A dimension of 0 counts as 1: the other dimensions still make arrays.
  const elements = sizeOf(fixed.map((dim) => dim || 1));
  const isSmall =
    shape.length <= maxRank &&
    elements <= (type === 'string' ? maxTexts : maxElements) &&
    countArrays(fixed) <= maxArrays;
  if (isSmall) return;
  throw new RefusedError(
    `the input ${name} has shape ${describeShape(shape)}, which is too large to be served`,
  );
}

function deriveInputs(
  features: ReadonlyMap<string, Feature>,
  inputs: readonly GraphValue[],
): Record<string, string[]> {
  const [only] = inputs;
  if (only === undefined) throw new RefusedError('the graph has no inputs');
  if (inputs.length === 1) return { [only.name]: [...features.keys()] };
  const known = new Set(inputs.map((input) => input.name));
  const unmatched = [...features.keys()].find((name) => !known.has(name));
  if (unmatched !== undefined || inputs.length !== features.size) {
    throw new RefusedError(
      `the graph has the inputs ${listNames(inputs)}, which do not match the features: list in /inputs which features fill each input`,
    );
  }
  return Object.fromEntries(inputs.map((input) => [input.name, [input.name]]));
}

/** The dimensions after the batch's. One that the graph leaves open is computed from the columns. */
function bindRowDims(input: GraphValue, width: number): readonly number[] {
  const { name, shape } = input;
  if (shape === undefined) return [width];
  const rowShape = shape.slice(1);
  const fixed = rowShape.filter((dim) => typeof dim === 'number').reduce((product, dim) => product * dim, 1);
  const open = rowShape.filter((dim) => typeof dim !== 'number').length;
  const needs = open === 0 ? fixed === width : open === 1 && width % fixed === 0;
  if (shape.length === 0 || !needs) {
    throw new RefusedError(
      `the input ${name} has shape ${describeShape(shape)}, rows first, which ${width} feature${width === 1 ? '' : 's'} cannot fill`,
    );
  }
  return rowShape.map((dim) => (typeof dim === 'number' ? dim : width / fixed));
}

function bindColumn(feature: Feature, type: ElementType, input: string): Column {
  const fault = findTypeFault(feature, type);
  if (fault !== undefined)
    throw new RefusedError(`the feature ${feature.name} cannot go into ${input} (${type}): ${fault}`);
  const categories = categoriesOf(feature);
  const codes = categories && type !== 'string' ? codesOf(feature, categories) : undefined;
  for (const code of codes?.values() ?? []) {
    if (!fitsType(code, type))
      throw new RefusedError(`the code ${code} of ${feature.name} does not fit ${type}`);
  }
  const { missing, default: defaultValue } = feature;
  return {
    feature: feature.name,
    ...(missing !== undefined && { missing: bindMissing(feature.name, missing, type, codes) }),
    ...(defaultValue !== undefined && { defaultValue }),
    ...(codes !== undefined && { codes }),
  };
}

function codesOf(feature: Feature, categories: readonly string[]): ReadonlyMap<string, number> {
  return new Map(categories.map((value, position) => [value, feature.codes?.[value] ?? position]));
}

function findTypeFault(feature: Feature, type: ElementType): string | undefined {
  if (type === 'string' && feature.type !== 'string')
    return `a ${feature.type} never goes into a string tensor`;
  if (type !== 'string' && feature.type === 'string' && categoriesOf(feature) === undefined) {
    return 'a string needs "enum" or "codes" to go into a numeric tensor';
  }
  if (type === 'bool' && feature.type !== 'boolean') return 'only a boolean goes into a bool tensor';
  if (feature.nullable && feature.missing === undefined && type !== 'string' && !isFloatType(type)) {
    return 'a nullable feature needs "missing" here, the value that stands for null';
  }
  const { default: value } = feature;
  if (typeof value === 'number' && !fitsType(value, type)) return `the default ${value} does not fit`;
  if (feature.type === 'string' || feature.type === 'boolean') return undefined;
  const isImpossible = findValueFault(nearestToZero(feature, type), feature, type) !== undefined;
  return isImpossible ? 'no number within its bounds fits' : undefined;
}

/** The value that replaces null: one of the feature's own values, or a number that the tensor holds. */
function bindMissing(
  name: string,
  missing: string | number | boolean,
  type: ElementType,
  codes: ReadonlyMap<string, number> | undefined,
): string | number | boolean {
  const value = typeof missing === 'string' && codes !== undefined ? codes.get(missing) : missing;
  const fits =
    type === 'string'
      ? typeof value === 'string' && isEncodableText(value)
      : type === 'bool'
        ? typeof value === 'boolean'
        : typeof value === 'boolean' || (typeof value === 'number' && fitsType(value, type));
  if (value === undefined || !fits)
    throw new RefusedError(`"missing" of ${name}, ${describeValue(missing)}, does not fit ${type}`);
  return value;
}

function listNames(values: readonly GraphValue[]): string {
  return listed(values.map((value) => value.name));
}
