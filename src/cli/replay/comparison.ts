import { ServiceError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Answer, Prediction } from '../../models/tasks/task.js';
import { describeRowError } from '../../text/row-error.js';
import type { ReplayableLine } from './choose-lines.js';
import { Spread } from './spread.js';

/** A row for which the candidate decides otherwise, or fails. */
export interface ChangedRow {
  readonly prediction_id: string;
  readonly time: string;
  readonly request: unknown;
  readonly old: unknown;
  readonly new?: unknown;
  readonly old_probability?: unknown;
  readonly new_probability?: number | undefined;
  readonly error?: string;
}

const maxExamples = 10;
/** Of pairs of an old and a new decision. */
const maxPairs = 1_000;

/**
 * Compares logged answers with those of the candidate. Decisions agree if they are equal; numbers of a regression agree
 * within `tolerance × max(1, |old|)`. A row that the candidate does not answer disagrees.
 */
export class Comparison {
  readonly #isRegression: boolean;
  /** Of the candidate, in the order of its probabilities. */
  readonly #classes: readonly unknown[];
  readonly #tolerance: number;
  readonly examples: ChangedRow[] = [];
  /** Old decision → new decision → rows, as JSON texts. Only of a classification. */
  readonly confusion = new Map<string, Map<string, number>>();
  /** |new − old| of the probability of the old decision, or of the number of a regression. */
  readonly differences = new Spread();
  readonly loggedMs = new Spread();
  rows = 0;
  changed = 0;
  failed = 0;
  #pairs = 0;

  constructor({ manifest, task }: LoadedVersion, tolerance: number) {
    this.#isRegression = manifest.task === 'regression';
    this.#classes = task.answerShape?.classes ?? [];
    this.#tolerance = tolerance;
  }

  add(line: ReplayableLine, outcome: Answer | ServiceError): void {
    this.rows += 1;
    this.loggedMs.add(line.latency_ms);
    if (outcome instanceof ServiceError) {
      this.changed += 1;
      this.failed += 1;
      this.#keep(line, { error: describeRowError(outcome) });
      return;
    }
    // A model with features answers with a prediction.
    const answer = outcome.value as Prediction;
    const isEqual = this.#isRegression
      ? this.#compareNumbers(line, answer)
      : this.#compareClasses(line, answer);
    if (isEqual) return;
    this.changed += 1;
    this.#keep(line, { new: answer.prediction, new_probability: answer.probability });
  }

  #compareClasses(line: ReplayableLine, { prediction, probability, probabilities }: Prediction): boolean {
    const isEqual = prediction === line.prediction;
    this.#count(JSON.stringify(line.prediction), JSON.stringify(prediction));
    if (typeof line.probability === 'number' && probability !== undefined) {
      const before = line.probability;
      const after = isEqual ? probability : probabilities?.[this.#classes.indexOf(line.prediction)];
      if (after !== undefined) this.differences.add(Math.abs(after - before));
    }
    return isEqual;
  }

  /** The largest difference counts if the model predicts several numbers. */
  #compareNumbers({ prediction: old }: ReplayableLine, { prediction }: Prediction): boolean {
    let largest = Number.NaN;
    let agrees = true;
    if (typeof old === 'number' && typeof prediction === 'number') {
      largest = Math.abs(prediction - old);
      agrees = largest <= this.#tolerance * Math.max(1, Math.abs(old));
    } else if (isNumbers(old) && isNumbers(prediction)) {
      const names = Object.keys(old);
      if (names.length !== Object.keys(prediction).length) return false;
      largest = 0;
      for (const name of names) {
        const [before, after] = [old[name] as number, prediction[name]];
        if (after === undefined) return false;
        largest = Math.max(largest, Math.abs(after - before));
        agrees &&= Math.abs(after - before) <= this.#tolerance * Math.max(1, Math.abs(before));
      }
    } else return false;
    this.differences.add(largest);
    return agrees;
  }

  #count(before: string, after: string): void {
    const known = this.confusion.get(before) ?? new Map<string, number>();
    const count = known.get(after);
    if (count === undefined) {
      if (this.#pairs === maxPairs) return;
      this.#pairs += 1;
    }
    known.set(after, (count ?? 0) + 1);
    this.confusion.set(before, known);
  }

  #keep(line: ReplayableLine, result: Partial<ChangedRow>): void {
    if (this.examples.length === maxExamples) return;
    const { prediction_id, time, request, prediction: old, probability: old_probability } = line;
    this.examples.push({
      prediction_id,
      time,
      request,
      old,
      ...result,
      ...(old_probability !== undefined && { old_probability }),
    });
  }
}

function isNumbers(value: unknown): value is Readonly<Record<string, number>> {
  return (
    typeof value === 'object' && value !== null && Object.values(value).every((it) => typeof it === 'number')
  );
}
