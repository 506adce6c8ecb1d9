import type { ServiceError } from '../../../errors.js';
import type { Answer } from '../../../models/tasks/task.js';

/** The members of a row that are carried over to the output. */
export type Kept = Readonly<Record<string, unknown>>;

/** A row of the input: its body, or the error of a row that cannot be read. */
export type InputRow =
  | { readonly body: unknown; readonly kept?: Kept }
  | { readonly error: ServiceError; readonly kept?: Kept };

/** A row of the output. `index` is its place in the input, from 0. */
export interface OutputRow {
  readonly index: number;
  readonly kept: Kept | undefined;
  readonly outcome: Answer | ServiceError;
}
