import { type ElementType, elementTypes, type Tensor } from '../../src/inference/tensors/tensor.js';
import {
  type Encoded,
  initializer,
  int,
  ints,
  model,
  node,
  string,
  strings,
  tensorValue,
} from '../../test/helpers/onnx.js';
import { toElementType, toTensor } from './element-types.js';
import type { AttributeSource, Attributes, Recipe, RecipeInput } from './recipe.js';
import { elementwise } from './recipes/elementwise.js';
import { ml } from './recipes/ml.js';
import { network } from './recipes/network.js';
import { patterns } from './recipes/patterns.js';
import { shape } from './recipes/shape.js';
import { trees } from './recipes/trees.js';
import { domainOf, type SchemaVersion, schemaFile, versionsOf } from './schemas.js';

/** One graph to try: an operator in one version, with types, attributes, and some inputs as constants. */
export interface Case {
  readonly recipe: Recipe;
  readonly version: SchemaVersion;
  readonly types: readonly ElementType[];
  readonly attributes: Attributes;
  readonly constants: readonly number[];
  /** Whether it is the first case of its types: slow feeds are tried only with that one. */
  readonly isFirst: boolean;
}

/** All cases, in one order in each process: processes name a case by its place. */
export function listCases(): Case[] {
  return [...elementwise, ...shape, ...network, ...trees, ...ml, ...patterns].flatMap(casesOf);
}

function casesOf(recipe: Recipe): Case[] {
  const [first, last] = recipe.versions ?? [1, 99];
  const versions = recipe.pattern === undefined ? versionsOf(recipe.op) : versionsOf(recipe.op).slice(-1);
  return versions
    .filter(
      ({ since, inputs }) => since >= first && since <= last && takes(inputs, recipe.inputs.length, recipe),
    )
    .flatMap((version) =>
      typesOf(recipe, version).flatMap((types) => {
        const { attributes = [{}], constants = [[]] } = recipe;
        const variants = typeof attributes === 'function' ? attributes(types, version.since) : attributes;
        // Older versions are tried with each set of attributes and each set of constants, the newest with all pairs.
        const isNewest = version.until === (schemaFile.newest[domainOf(recipe.op)] ?? 1);
        return variants.flatMap((set, at) =>
          constants
            .filter((_, place) => isNewest || at === 0 || place === 0)
            .map((places, place) => ({
              ...{ recipe, version, types, attributes: set, constants: places },
              isFirst: at === 0 && place === 0,
            })),
        );
      }),
    );
}

const takes = (inputs: readonly string[], count: number, recipe: Recipe) =>
  recipe.types !== undefined || count <= inputs.length || inputs.at(-1)?.endsWith('*') === true;

/** All combinations of input types that the schema allows and a request can carry. */
function typesOf(recipe: Recipe, version: SchemaVersion): (readonly ElementType[])[] {
  if (recipe.types !== undefined) return [...recipe.types];
  const parameters = recipe.inputs.map((_, place) =>
    (version.inputs[place] ?? version.inputs.at(-1) ?? '').replace(/[?*]$/, ''),
  );
  // An omitted input needs no type.
  const names = [...new Set(parameters.filter((_, place) => recipe.inputs[place]?.isAbsent !== true))];
  let choices: ReadonlyMap<string, ElementType>[] = [new Map()];
  for (const name of names) {
    const allowed = allowedTypes(name, version);
    choices = choices.flatMap((chosen) => allowed.map((type) => new Map([...chosen, [name, type]])));
  }
  return choices.map((chosen) => parameters.map((name) => chosen.get(name) ?? 'float32'));
}

function allowedTypes(parameter: string, version: SchemaVersion): ElementType[] {
  const place = version.types[parameter];
  const names = place === undefined ? [parameter] : (schemaFile.typeSets[place] ?? '').split(' ');
  return elementTypes.filter((type) => names.some((name) => toElementType(name) === type));
}

/** The tensor of an input in a sound call. */
export function soundTensor({ dims, values }: RecipeInput, type: ElementType): Tensor {
  return toTensor(type, dims, values ?? [1, 2, 3, 1, 2, 3, 1]);
}

/** The places of the inputs that are fed in a run. */
export const dynamicPlaces = ({ recipe, constants }: Case): number[] =>
  recipe.inputs.flatMap(({ isAbsent }, place) => (isAbsent || constants.includes(place) ? [] : [place]));

/** The model of a case. Its inputs have no declared shape, so that the engine accepts any shape. */
export function toModel(tried: Case): Uint8Array {
  const { recipe, version, types, attributes } = tried;
  const names = recipe.inputs.map(({ isAbsent }, place) => (isAbsent ? '' : `X${place}`));
  const outputs = Array.from({ length: recipe.outputs ?? 1 }, (_, place) => `Y${place}`);
  const encoded = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, toAttribute(value)]),
  );
  const domain = domainOf(recipe.op);
  const opset = recipe.pattern !== undefined || domain !== '' ? 17 : Math.max(version.since, 9);
  return model({
    irVersion: opset > 21 ? 10 : 8,
    opset,
    mlOpset: domain === 'ai.onnx.ml' ? version.since : 3,
    ...(domain === 'com.microsoft' && { opsets: { 'com.microsoft': 1 } }),
    inputs: dynamicPlaces(tried).map((place) => {
      const { dims } = recipe.inputs[place] as RecipeInput;
      const shape = recipe.pattern === undefined ? undefined : dims.map((_, axis) => `d${place}_${axis}`);
      return tensorValue(`X${place}`, types[place] as ElementType, shape);
    }),
    outputs: [...outputs, ...(recipe.unfetched ?? [])].map(untypedValue),
    initializers: tried.constants.map((place) => {
      const type = types[place] as ElementType;
      const { dims, data } = soundTensor(recipe.inputs[place] as RecipeInput, type);
      const values =
        type === 'float16'
          ? fromBits(data as Uint16Array)
          : [...(data as Iterable<number | bigint | string>)];
      return initializer(`X${place}`, type, dims, values);
    }),
    nodes: recipe.nodes?.({ inputs: names, output: 'Y0', attributes: encoded, types }) ?? [
      node(recipe.op, names, outputs, encoded),
    ],
  });
}

const fromBits = ({ buffer, byteOffset, byteLength }: Uint16Array) =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** The engine infers the type of an output that is declared without one. */
const untypedValue = (name: string): Encoded<'value'> => ({
  kind: 'value',
  bytes: Uint8Array.from([10, name.length, ...Buffer.from(name)]),
});

function toAttribute(value: AttributeSource): Encoded<'attribute'> {
  if (typeof value === 'string') return string(value);
  if (typeof value === 'number') return int(value);
  if ('kind' in value) return value;
  return typeof value[0] === 'string'
    ? strings(value as readonly string[])
    : ints(value as readonly number[]);
}
