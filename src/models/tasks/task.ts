import type { TSchema } from '@sinclair/typebox';
import type { ServiceError } from '../../errors.js';
import type { CallContext } from '../../inference/batching/call-context.js';
import type { RunTiming } from '../../inference/batching/pending-row.js';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import type { NestedValue } from '../../inference/tensors/json-write.js';

export type Scalar = number | string | boolean;

/** `probabilities` are in the order of the classes. */
export interface Prediction {
  readonly prediction: Scalar | Readonly<Record<string, number>>;
  readonly probability?: number;
  readonly probabilities?: readonly number[];
}

/** The answer to one request, as a value and as the members of a JSON object for the response. */
export interface Answer {
  readonly value: AnswerValue;
  readonly fieldsJson: string;
  /** Of tensors that were computed for this request: their dimensions by name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Undefined if the answer was not computed for this request. */
  readonly timing?: RunTiming | undefined;
}

export type AnswerValue = Prediction | { readonly outputs: Readonly<Record<string, NestedValue>> };

/** A row that a version's check has accepted, by feature: its defaults are in it, and null where the client sent null. */
export type FeatureRow = Readonly<Record<string, unknown>>;

export interface CheckedRequest {
  /** Undefined for the task `tensor`. */
  readonly row?: FeatureRow;
  /** Equal for two requests of a version if and only if their contents are equal. */
  cacheKey(): string;
  /** 32 bits, equal for requests with equal keys. It reads only a part of the request. */
  hash(): number;
  /**
   * Admits the request and runs it until the call's deadline. Throws `overloaded`, `deadline_exceeded`,
   * `client_closed`, `executor_lost`, `run_failed`, `output_not_finite`, `output_not_exact` and `output_too_large`.
   */
  answer(call: CallContext): Promise<Answer>;
}

/** The most names (an object counts as one more) and the most other values of a body that the check accepts. */
export interface BodyBounds {
  readonly names: number;
  readonly items: number;
}

/** The columns of an answer, for a table of answers. */
export interface AnswerShape {
  /** Of a classification, if they are known. With probabilities, one for each. */
  readonly classes?: readonly Scalar[] | undefined;
  readonly hasProbabilities: boolean;
  /** The members of the prediction of a regression with several columns. */
  readonly names?: readonly string[] | undefined;
}

export interface Task {
  /** JSON Schema of the body in all its forms; `answerSchema` is that of the answer's own members. */
  readonly requestSchema: TSchema;
  /** The body in one form, for tools that generate bodies. The check also refuses what no schema can express. */
  readonly documentSchema: TSchema;
  readonly answerSchema: TSchema;
  /** A body that the check accepts. The model answers it, unless `exampleProblem` says why it does not. */
  readonly example: unknown;
  readonly exampleProblem?: string | undefined;
  readonly bodyBounds: BodyBounds;
  /** Undefined for the task `tensor`. */
  readonly answerShape?: AnswerShape;
  /** Only of the task `tensor`. */
  readonly tensors?: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] };
  /** Throws `invalid_input` with every problem. */
  check(body: unknown): CheckedRequest;
  /**
   * Answers several requests from `check` as one: they are admitted together and share runs.
   * Throws `RowError` for a request that fails by itself, otherwise as `CheckedRequest.answer` does.
   */
  answerAll(requests: readonly CheckedRequest[], call: CallContext): Promise<readonly Answer[]>;
  /**
   * Answers each of several requests from `check`, or says why not: no request costs another one its answer.
   * Throws only what concerns all of them, such as `deadline_exceeded` and `executor_lost`.
   */
  answerEach(
    requests: readonly CheckedRequest[],
    call: CallContext,
  ): Promise<readonly (Answer | ServiceError)[]>;
}
