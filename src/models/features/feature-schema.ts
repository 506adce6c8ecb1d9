import { type TObject, type TSchema, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Explanation, maxProblems, type Problem, ServiceError } from '../../errors.js';
import { type ElementType, numberBounds, schemaBounds } from '../../inference/tensors/tensor.js';
import { describeValue, pointerToken } from '../../text/describe-value.js';
import { createSearchBudget, didYouMean, maxSuggested, nearestNames } from '../../text/did-you-mean.js';
import { isEncodableText } from '../../text/encodable-text.js';
import { boundsOf, categoriesOf, findValueFault, isRequired } from '../manifest/feature-value.js';
import type { Feature } from '../manifest/manifest.js';
import { findForeignForm, sketchObject } from '../tasks/foreign-body.js';
import type { Row } from './encode.js';

export interface FeatureSchema {
  /** JSON Schema of one row, for the manual. */
  readonly schema: TObject;
  /** Returns the body as a row, or throws `invalid_input` with every problem. */
  check(body: unknown): Row;
}

/** A feature with the element type of the tensor that it goes into. */
export interface TypedFeature {
  readonly feature: Feature;
  readonly type: ElementType;
}

export function createFeatureSchema(modelName: string, typed: readonly TypedFeature[]): FeatureSchema {
  // If a feature is optional, the compiled check compares each key with each name: 6 ms for 3,000 features
  // (typebox 0.34.52). A set finds unknown keys instead.
  const isClosed = typed.every((it) => isRequired(it.feature));
  const compiled = TypeCompiler.Compile(rowSchema(typed, toCheckSchema, isClosed));
  const names = new Set(typed.map((it) => it.feature.name));
  const hasKnownKeys = (row: Row) => {
    for (const name in row) if (!names.has(name)) return false;
    return true;
  };
  const texts = typed.filter((it) => it.feature.type === 'string' && categoriesOf(it.feature) === undefined);
  const textNames = texts.map((it) => it.feature.name);
  const areTextsEncodable = (row: Row) =>
    textNames.every((name) => typeof row[name] !== 'string' || isEncodableText(row[name]));
  return {
    schema: rowSchema(typed, toDocumentSchema, true),
    check(body) {
      if (compiled.Check(body) && (isClosed || hasKnownKeys(body as Row)) && areTextsEncodable(body as Row)) {
        return body as Row;
      }
      throw new ServiceError('invalid_input', { explain: () => explain(body, modelName, typed, names) });
    },
  };
}

function rowSchema(
  typed: readonly TypedFeature[],
  toSchema: (it: TypedFeature) => TSchema,
  isClosed: boolean,
): TObject {
  const entries = typed.map((it) => {
    const schema = toSchema(it);
    return [it.feature.name, isRequired(it.feature) ? schema : Type.Optional(schema)] as const;
  });
  return Type.Object(Object.fromEntries(entries), { additionalProperties: !isClosed });
}

function toCheckSchema(it: TypedFeature): TSchema {
  const { feature, type } = it;
  const categories = categoriesOf(feature);
  const orNull = (schema: TSchema) => (feature.nullable ? Type.Union([schema, Type.Null()]) : schema);
  if (feature.type === 'boolean') return orNull(Type.Boolean());
  if (feature.type === 'string') {
    return orNull(categories ? Type.Union(categories.map((value) => Type.Literal(value))) : Type.String());
  }
  const { integer, minimum, maximum } = boundsOf(it.feature, it.type);
  const held = numberBounds(type);
  // The limits of a float type are the first numbers that round to Infinity: a value must stay below them.
  const limits = {
    ...(minimum === held?.lowest && !held.integer ? { exclusiveMinimum: minimum } : { minimum }),
    ...(maximum === held?.highest && !held.integer ? { exclusiveMaximum: maximum } : { maximum }),
  };
  return orNull(integer ? Type.Integer(limits) : Type.Number(limits));
}

function toDocumentSchema(it: TypedFeature): TSchema {
  const { feature } = it;
  const categories = categoriesOf(feature);
  const numbers = feature.type === 'integer' || feature.type === 'number' ? toBounds(it) : undefined;
  const type = numbers?.integer ? 'integer' : feature.type;
  const description = [toSentence(feature.description), feature.unit && `Unit: ${feature.unit}.`]
    .filter(Boolean)
    .join(' ');
  return Type.Unsafe({
    type: feature.nullable ? [type, 'null'] : type,
    ...(categories && { enum: feature.nullable ? [...categories, null] : categories }),
    ...(type === 'string' && categories === undefined && { pattern: '^[^\\u0000]*$' }),
    ...numbers?.bounds,
    ...(feature.default !== undefined && { default: feature.default }),
    ...(feature.example !== undefined && { examples: [feature.example] }),
    ...(description !== '' && { description }),
  });
}

/** The bounds of the manifest, else those of the tensor's type. */
function toBounds({ feature, type }: TypedFeature) {
  const { integer, minimum, maximum } = boundsOf(feature, type);
  if (integer) return { integer, bounds: { minimum, maximum } };
  const { exclusiveMinimum, exclusiveMaximum } = schemaBounds(type);
  const low =
    minimum === exclusiveMinimum ? { exclusiveMinimum } : feature.minimum !== undefined && { minimum };
  const high =
    maximum === exclusiveMaximum ? { exclusiveMaximum } : feature.maximum !== undefined && { maximum };
  return { integer, bounds: { ...low, ...high } };
}

/** Lists every problem of a body. The work is bounded for any body, since it may be an attack. */
function explain(
  body: unknown,
  modelName: string,
  typed: readonly TypedFeature[],
  known: ReadonlySet<string>,
): Explanation {
  const problems: Problem[] = [];
  let count = 0;
  const add = (name: string | undefined, toMessage: () => string) => {
    count += 1;
    if (problems.length < maxProblems) {
      problems.push({ pointer: name === undefined ? '' : `/${pointerToken(name)}`, message: toMessage() });
    }
  };
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    add(undefined, () => describeOther(body, modelName, known));
    return { detail: '1 problem', problems };
  }
  const row = body as Row;
  const foreign = findForeignForm(row, (name) => known.has(name));
  if (foreign !== undefined) {
    const { name, servers } = foreign;
    const elsewhere = name === 'instances' ? `; ${manyRowsAt(modelName)} take such a body` : '';
    add(name, () => `is the form of ${servers}; here the body is one row: ${sketchRow(known)}${elsewhere}`);
  } else {
    const budget = createSearchBudget();
    const names = [...known];
    for (const it of typed) {
      const { name } = it.feature;
      if (!Object.hasOwn(row, name)) {
        if (isRequired(it.feature)) add(name, () => 'is required');
        continue;
      }
      const fault = findValueFault(row[name], it.feature, it.type);
      if (fault !== undefined) add(name, () => fault);
    }
    for (const name of Object.keys(row)) {
      if (known.has(name)) continue;
      const nearest = () =>
        problems.length < maxSuggested ? nearestNames(name, names, 3, undefined, budget) : [];
      add(name, () => `is not a feature of ${modelName}${didYouMean(nearest())}`);
    }
  }
  const listed = count > maxProblems ? `; the first ${maxProblems} are listed` : '';
  return { detail: `${count} problem${count === 1 ? '' : 's'}${listed}`, problems };
}

function describeOther(body: unknown, modelName: string, known: ReadonlySet<string>): string {
  if (Array.isArray(body)) {
    const all = `all of them as {"instances": […]}, which ${manyRowsAt(modelName)} take`;
    return `must be one row, not a list of rows: send a request for each, such as ${sketchRow(known)}, or ${all}`;
  }
  if (typeof body === 'string' && /^\s*[{[]/.test(body)) {
    return 'must be an object of the features, got text that holds JSON: it was encoded as JSON twice';
  }
  return `must be an object of the features, got ${body === undefined ? 'nothing' : describeValue(body)}`;
}

const manyRowsAt = (modelName: string) =>
  `/models/${modelName}/predict/batch and /v1/models/${modelName}:predict`;

function sketchRow(known: ReadonlySet<string>): string {
  return sketchObject([...known], '…');
}

function toSentence(text: string | undefined): string | undefined {
  return text && !/[.!?]$/.test(text) ? `${text}.` : text;
}
