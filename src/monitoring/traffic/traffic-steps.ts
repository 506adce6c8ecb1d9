import { errorCatalogue } from '../../errors.js';
import type { Subscriber } from '../../prediction-event.js';

export const stepSeconds = 5;
/** Five minutes. */
const keptSteps = 60;
/** Four buckets an octave, from 2^-7 ms on: an error of 9 % at most, up to 16 min. */
const bucketsAnOctave = 4;
const firstOctave = -7;
export const latencyBuckets = 27 * bucketsAnOctave;

/** The predictions of one model in one step. Those of several processes are added. */
export interface TrafficStep {
  readonly model: string;
  /** Seconds of the step since 1970, divided by its length. */
  readonly step: number;
  readonly ok: number;
  /** Errors of clients, below 500. */
  readonly refused: number;
  readonly failed: number;
  /** Of all of them: pairs of a bucket and its count. */
  readonly latencies: readonly (readonly [bucket: number, count: number])[];
}

export interface Traffic {
  readonly subscriber: Subscriber;
  /** The last five minutes. */
  steps(): readonly TrafficStep[];
}

interface Step {
  readonly step: number;
  ok: number;
  refused: number;
  failed: number;
  readonly buckets: Uint32Array;
}

/** Counts the predictions of the last minutes in memory: 450 bytes for each step of a model that had any. */
export function createTraffic(now: () => number = Date.now): Traffic {
  const models = new Map<string, Step[]>();
  const current = () => Math.floor(now() / (stepSeconds * 1_000));
  const begin = (model: string, step: number): Step => {
    const steps = (models.get(model) ?? []).filter((it) => it.step > step - keptSteps);
    const begun: Step = { step, ok: 0, refused: 0, failed: 0, buckets: new Uint32Array(latencyBuckets) };
    steps.push(begun);
    models.set(model, steps);
    return begun;
  };
  return {
    subscriber({ model, status, latencyMs, source }) {
      // Rows of jobs that run in another process have no events.
      if (source === 'console' || source === 'job') return;
      const number = current();
      const last = models.get(model)?.at(-1);
      const step = last?.step === number ? last : begin(model, number);
      if (status === 'ok') step.ok += 1;
      else if (errorCatalogue[status].status < 500) step.refused += 1;
      else step.failed += 1;
      // The latency of a row of a batch is that of its whole turn.
      if (source === 'batch') return;
      const bucket = toBucket(latencyMs);
      step.buckets[bucket] = (step.buckets[bucket] as number) + 1;
    },
    steps() {
      const oldest = current() - keptSteps;
      return [...models].flatMap(([model, steps]) =>
        steps
          .filter(({ step }) => step > oldest)
          .map(({ buckets, ...rest }) => ({
            model,
            ...rest,
            latencies: [...buckets].flatMap((count, bucket) =>
              count === 0 ? [] : [[bucket, count] as const],
            ),
          })),
      );
    },
  };
}

function toBucket(latencyMs: number): number {
  const bucket = Math.floor((Math.log2(latencyMs) - firstOctave) * bucketsAnOctave);
  // A latency of 0 has no logarithm.
  return bucket > 0 ? Math.min(bucket, latencyBuckets - 1) : 0;
}

/** The middle of a bucket, in milliseconds. */
export function bucketMs(bucket: number): number {
  return 2 ** (firstOctave + (bucket + 0.5) / bucketsAnOctave);
}
