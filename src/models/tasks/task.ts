import type { TSchema } from '@sinclair/typebox';
import type { CallContext } from '../../inference/batching/call-context.js';
import type { RunTiming } from '../../inference/batching/pending-row.js';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import type { NestedValue } from '../../inference/tensors/json-write.js';

export type Scalar = number | string | boolean;

/** The answer for one row. `probabilities` are in the order of the classes. */
export interface Prediction {
  readonly prediction: Scalar | Readonly<Record<string, number>>;
  readonly probability?: number;
  readonly probabilities?: readonly number[];
}

/** The answer to one request: as values, for those who compare, and as the members of a JSON object, for the wire. */
export interface Answer {
  readonly value: AnswerValue;
  readonly fieldsJson: string;
  /** Undefined where the answer was not computed for this request. */
  readonly timing?: RunTiming | undefined;
}

export type AnswerValue = Prediction | { readonly outputs: Readonly<Record<string, NestedValue>> };

/** A body past its check. */
export interface CheckedRequest {
  /** Equal for two requests of a version if and only if they ask the same. */
  cacheKey(): string;
  /** 32 bits, equal for two requests of a version that ask the same. It looks at a part of the request only. */
  hash(): number;
  /**
   * Admits the request and runs it, until the deadline of the call. Throws `overloaded`, `deadline_exceeded`,
   * `client_closed`, `executor_lost`, `run_failed`, `output_not_finite`, `output_not_exact` and `output_too_large`.
   */
  answer(call: CallContext): Promise<Answer>;
}

/** How many names, objects among them, and other values a body needs that the check accepts, at most. */
export interface BodyBounds {
  readonly names: number;
  readonly items: number;
}

/** What a version does with a body: the features of a row, or tensors as they are. */
export interface Task {
  /** JSON Schema of the body in all its forms, and of the answer's own members. */
  readonly requestSchema: TSchema;
  /** Of the body in one form, for those that make bodies of a schema: the check refuses what no schema can say. */
  readonly documentSchema: TSchema;
  readonly answerSchema: TSchema;
  /** A body that the check accepts, and that is answered unless `exampleProblem` says why none is. */
  readonly example: unknown;
  readonly exampleProblem?: string | undefined;
  readonly bodyBounds: BodyBounds;
  /** What goes into the graph and comes out of it, where requests are tensors. */
  readonly tensors?: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] };
  /** Throws `invalid_input` with every problem. */
  check(body: unknown): CheckedRequest;
  /**
   * Answers several requests that `check` gave as one: they are admitted together and share runs.
   * Throws `RowError` for one that fails by itself, and else as `CheckedRequest.answer` does.
   */
  answerAll(requests: readonly CheckedRequest[], call: CallContext): Promise<readonly Answer[]>;
}
