import { Type } from '@sinclair/typebox';
import { asServiceError, RowError, type ServiceError } from '../../errors.js';
import type { Batcher } from '../../inference/batching/batcher.js';
import type { CallContext } from '../../inference/batching/call-context.js';
import type { RowOutput, RunTiming } from '../../inference/batching/pending-row.js';
import type { Answer, BodyBounds, CheckedRequest, Prediction, Scalar, Task } from '../tasks/task.js';
import { explainRefusal, type Ids, pointerTo } from '../tasks/value-refusal.js';
import type { Decode } from './decode.js';
import { runEachRow } from './each-row.js';
import type { Row } from './encode.js';
import { type RowEntry, runRows } from './feature-rows.js';
import type { FeatureSchema } from './feature-schema.js';

export interface FeatureTaskParts {
  readonly features: FeatureSchema;
  /** Equal for equal rows. */
  readonly toText: (row: Row) => string;
  /** 32 bits, equal for equal rows. */
  readonly toHash: (row: Row) => number;
  /** A row that the features' check accepts. */
  readonly example: Row;
  readonly batcher: Batcher<RowEntry>;
  readonly decode: Decode;
  /** Of a classification, if known. With probabilities, one for each column. */
  readonly classes?: readonly Scalar[];
  readonly hasProbabilities: boolean;
  /** Of a regression with several columns. */
  readonly names?: readonly string[];
}

export function createFeatureTask(parts: FeatureTaskParts): Task {
  const { features, toText, toHash, batcher, decode } = parts;
  const toMembers = createMemberWriter(parts.hasProbabilities ? parts.classes : undefined);
  const answer = async (row: Row, call: CallContext): Promise<Answer> => {
    batcher.admit(call);
    let share: RowOutput;
    try {
      share = await batcher.run(row, call);
    } catch (error) {
      throw explainRefusal(error, () => listIds(row, features));
    }
    const { outputs, timing } = share;
    const value = decode(outputs, timing.batchIndex);
    return { value, fieldsJson: toMembers(value), timing };
  };
  const way: RowWay = { toText, toHash, answer };
  return {
    requestSchema: features.schema,
    documentSchema: features.schema,
    answerSchema: describeAnswer(parts),
    example: parts.example,
    bodyBounds: boundsOf(features),
    answerShape: { classes: parts.classes, hasProbabilities: parts.hasProbabilities, names: parts.names },
    check: (body) => new CheckedRow(features.check(body), way),
    async answerAll(requests, call) {
      const rows = rowsOf(requests);
      batcher.admit(call, rows.length);
      const shares = await runRows(batcher, rows, call).catch((error: unknown) => {
        if (!(error instanceof RowError)) throw error;
        throw new RowError(error.row, explain(rows, error.row, error.failure));
      });
      return shares.flatMap(({ from, count, share }) =>
        Array.from({ length: count }, (_unused, k) => {
          try {
            return decodeShared(share, k);
          } catch (error) {
            throw new RowError(from + k, error);
          }
        }),
      );
    },
    async answerEach(requests, call) {
      const rows = rowsOf(requests);
      batcher.admit(call, rows.length);
      const answers: (Answer | ServiceError)[] = [];
      for (const part of await runEachRow(batcher, rows, call, parts.example)) {
        if ('failure' in part) {
          answers.push(asServiceError(explain(rows, part.from, part.failure)));
          continue;
        }
        for (let k = 0; k < part.count; k += 1) {
          try {
            answers.push(decodeShared(part.share, k));
          } catch (error) {
            answers.push(asServiceError(error));
          }
        }
      }
      return answers;
    },
  };

  /** These requests come from this task's own check. */
  function rowsOf(requests: readonly CheckedRequest[]): readonly Row[] {
    return requests.map((request) => (request as CheckedRow).row);
  }

  function explain(rows: readonly Row[], row: number, failure: unknown): unknown {
    return explainRefusal(failure, () => listIds(rows[row] as Row, features));
  }

  function decodeShared({ outputs, timing }: RowOutput, k: number): Answer {
    const batchIndex = timing.batchIndex + k;
    return new RowAnswer(decode(outputs, batchIndex), toMembers, { ...timing, batchIndex, ownRows: 1 });
  }
}

interface RowWay {
  readonly toText: (row: Row) => string;
  readonly toHash: (row: Row) => number;
  readonly answer: (row: Row, call: CallContext) => Promise<Answer>;
}

class CheckedRow implements CheckedRequest {
  readonly row: Row;
  readonly #way: RowWay;

  constructor(row: Row, way: RowWay) {
    this.row = row;
    this.#way = way;
  }

  cacheKey(): string {
    return this.#way.toText(this.row);
  }

  hash(): number {
    return this.#way.toHash(this.row);
  }

  answer(call: CallContext): Promise<Answer> {
    return this.#way.answer(this.row, call);
  }
}

/** The answer to one of many rows. Most callers read only the prediction, so the text is written on demand. */
class RowAnswer implements Answer {
  readonly value: Prediction;
  readonly timing: RunTiming;
  readonly #toMembers: (value: Prediction) => string;
  #fieldsJson: string | undefined;

  constructor(value: Prediction, toMembers: (value: Prediction) => string, timing: RunTiming) {
    this.value = value;
    this.timing = timing;
    this.#toMembers = toMembers;
  }

  get fieldsJson(): string {
    this.#fieldsJson ??= this.#toMembers(this.value);
    return this.#fieldsJson;
  }
}

/** A row is one object, and holds no arrays or objects. */
function boundsOf({ schema }: FeatureSchema): BodyBounds {
  const count = Object.keys(schema.properties).length;
  return { names: count + 1, items: count };
}

/** Values that may be ids: those of an integer type, not numbers that happen to be whole. */
function listIds(row: Row, { schema }: FeatureSchema): readonly Ids[] {
  return Object.entries(schema.properties).flatMap(([name, { type }]) => {
    const value = row[name];
    const isId = [type].flat().includes('integer') && typeof value === 'number';
    return isId ? [{ name, pointer: pointerTo(name), values: [value] }] : [];
  });
}

/** Writes JSON by hand, since the keys are known and every number is finite. */
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
