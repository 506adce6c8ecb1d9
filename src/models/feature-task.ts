import { Type } from '@sinclair/typebox';
import type { Batcher } from '../inference/batching/batcher.js';
import type { Caller } from '../inference/batching/caller.js';
import type { RunShare } from '../inference/batching/waiter.js';
import type { Decode, Prediction, Scalar } from '../inference/decode.js';
import type { Row } from '../inference/encode.js';
import type { FeatureSchema } from './feature-schema.js';
import type { Answer, BodyBounds, Task } from './task.js';
import { explainRefusal, type Ids, pointerTo } from './value-refusal.js';

export interface FeatureTaskParts {
  readonly features: FeatureSchema;
  /** Equal for equal rows. */
  readonly toText: (row: Row) => string;
  /** A row that the features' check accepts. */
  readonly example: Row;
  readonly batcher: Batcher<Row>;
  readonly decode: Decode;
  /** Of a classification, where known: with probabilities, one a column. */
  readonly classes?: readonly Scalar[];
  readonly hasProbabilities: boolean;
  /** Of a regression with several columns. */
  readonly names?: readonly string[];
}

/** Classification and regression: one row of features in, one prediction out. */
export function createFeatureTask(parts: FeatureTaskParts): Task {
  const { features, toText, batcher, decode } = parts;
  const toMembers = createMemberWriter(parts.hasProbabilities ? parts.classes : undefined);
  const run = async (row: Row, deadline: number, caller: Caller): Promise<Answer> => {
    let share: RunShare;
    try {
      share = await batcher.run(row, deadline, caller);
    } catch (error) {
      throw explainRefusal(error, () => listIds(row, features));
    }
    const { outputs, index, rows, queueMs, runMs } = share;
    const value = decode(outputs, index);
    return { value, members: toMembers(value), queueMs, runMs, batchRows: rows, batchIndex: index };
  };
  return {
    requestSchema: features.schema,
    documentSchema: features.schema,
    answerSchema: describeAnswer(parts),
    example: parts.example,
    bodyBounds: boundsOf(features),
    async answer(body, caller) {
      const deadline = batcher.admit(caller);
      return run(features.check(body), deadline, caller);
    },
    check(body) {
      const row = features.check(body);
      return {
        text: () => toText(row),
        answer: async (caller) => run(row, batcher.admit(caller), caller),
      };
    },
  };
}

/** A row is one object of values without arrays or objects in them. */
function boundsOf({ schema }: FeatureSchema): BodyBounds {
  const count = Object.keys(schema.properties).length;
  return { names: count + 1, items: count };
}

/** The values of a row that may be ids: whole numbers by their type, and not only by chance. */
function listIds(row: Row, { schema }: FeatureSchema): readonly Ids[] {
  return Object.entries(schema.properties).flatMap(([name, { type }]) => {
    const value = row[name];
    const isId = [type].flat().includes('integer') && typeof value === 'number';
    return isId ? [{ name, pointer: pointerTo(name), values: [value] }] : [];
  });
}

/** Writes a prediction as JSON by hand: the keys are known, and every number in it is finite. */
function createMemberWriter(classes: readonly Scalar[] | undefined): (value: Prediction) => string {
  if (classes === undefined) return ({ prediction }) => `"prediction":${JSON.stringify(prediction)}`;
  const texts = new Map(classes.map((value) => [value, JSON.stringify(value)]));
  const keys = classes.map((value, index) => `${index === 0 ? '' : ','}${JSON.stringify(String(value))}:`);
  return ({ prediction, probability, probabilities = [] }) => {
    let text = `"prediction":${texts.get(prediction as Scalar)},"probability":${probability},"probabilities":{`;
    for (let k = 0; k < keys.length; k += 1) text += (keys[k] as string) + probabilities[k];
    return `${text}}`;
  };
}

function describeAnswer({ classes, hasProbabilities, names }: FeatureTaskParts) {
  const number = Type.Number();
  if (names !== undefined) {
    return Type.Object({ prediction: Type.Object(Object.fromEntries(names.map((name) => [name, number]))) });
  }
  const prediction = classes === undefined ? Type.Unsafe({}) : Type.Unsafe({ enum: classes });
  if (!hasProbabilities || classes === undefined) {
    return Type.Object({
      prediction: classes === undefined ? Type.Unsafe({ type: ['number', 'string', 'boolean'] }) : prediction,
    });
  }
  return Type.Object({
    prediction,
    probability: Type.Number({ description: 'Of the predicted class' }),
    probabilities: Type.Object(Object.fromEntries(classes.map((value) => [String(value), number]))),
  });
}
