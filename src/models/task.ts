import type { TSchema } from '@sinclair/typebox';
import type { Caller } from '../inference/batching/caller.js';
import type { Scalar } from '../inference/decode.js';
import type { TensorSpec } from '../inference/tensor-element.js';
import type { NestedValue } from '../inference/tensor-json.js';

/** The answer to one request: as values, for those who compare, and as the members of a JSON object, for the wire. */
export interface Answer {
  readonly value: AnswerValue;
  readonly members: string;
  /**
   * From the request's arrival at the queue to the start of its run, and the run itself. These four are missing where
   * the answer was not computed for this request.
   */
  readonly queueMs?: number;
  readonly runMs?: number;
  /** Rows of the run, and this answer's place among them. */
  readonly batchRows?: number;
  readonly batchIndex?: number;
}

export type AnswerValue =
  | {
      readonly prediction: Scalar | Readonly<Record<string, number>>;
      readonly probability?: number;
      readonly probabilities?: readonly number[];
    }
  | { readonly outputs: Readonly<Record<string, NestedValue>> };

/** A body past its check. */
export interface CheckedRequest {
  /** Equal for two requests of a version if and only if they ask the same. */
  text(): string;
  /** Answers it, or refuses it at once: throws as `Task.answer` does, but for `invalid_input`. */
  answer(caller: Caller): Promise<Answer>;
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
  /**
   * Checks a body and answers it, within the version's own limit of time and the caller's.
   * Throws `invalid_input` with every problem; `overloaded`, `deadline_exceeded`, `client_closed`, `executor_lost`,
   * `run_failed`, `output_not_finite`, `output_not_exact` and `output_too_large`.
   */
  answer(body: unknown, caller: Caller): Promise<Answer>;
  /**
   * Answers several requests that `check` gave as one: they are admitted together, have one deadline, and share runs.
   * Throws `RowError` for one that fails by itself, and else as `answer` does.
   */
  answerAll(requests: readonly CheckedRequest[], caller: Caller): Promise<readonly Answer[]>;
  /** The first half of `answer`, for those who may know the answer already. Throws `invalid_input`. */
  check(body: unknown): CheckedRequest;
}
