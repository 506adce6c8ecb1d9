import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { FeedbackOptions, FeedbackStore } from '../../src/monitoring/feedback/feedback-store.js';
import type { OutcomeShape } from '../../src/monitoring/feedback/outcome-shape.js';
import { toQuality } from '../../src/monitoring/feedback/quality-report.js';
import type { PredictionEvent } from '../../src/prediction-event.js';

export interface OpenedStore extends AsyncDisposable {
  readonly store: FeedbackStore;
  /** The number of predictions that were dropped. */
  readonly dropped: number;
}

type Value = Readonly<Record<string, unknown>>;
const manifests = new Map<OutcomeShape, object>();

/** An event with the members that stores read. */
export function predictionEvent(shape: OutcomeShape, value: Value, keyId?: string): PredictionEvent {
  const manifest = manifests.get(shape) ?? { shape };
  manifests.set(shape, manifest);
  return {
    model: 'm',
    version: JSON.stringify(shape ?? null).slice(0, 64),
    predictionId: randomUUID(),
    keyId,
    manifest,
    answer: { value },
  } as unknown as PredictionEvent;
}

export const shapeOf: FeedbackOptions['shapeOf'] = ({ manifest }) =>
  (manifest as unknown as { shape?: OutcomeShape }).shape;

const binary: OutcomeShape = { kind: 'classes', classes: ['no', 'yes'] };
const yes = { prediction: 'yes', probability: 0.8, probabilities: [0.2, 0.8] };

/** What every store of predictions must do. */
export function describeFeedbackStore(
  open: (options?: Partial<FeedbackOptions>) => Promise<OpenedStore>,
): void {
  const joinOne = async (store: FeedbackStore, predictionId: string, actual: unknown, keyId?: string) =>
    (await store.join([{ predictionId, actual }], keyId))[0];

  test('each feedback is judged by itself, and counted once', async () => {
    await using opened = await open();
    const { store } = opened;
    const events = [yes, yes, yes].map((value) => predictionEvent(binary, value));
    for (const event of events) store.keep(event);
    const [a = '', b = '', c = ''] = events.map(({ predictionId }) => predictionId);
    const items = [
      { predictionId: a, actual: 'yes' },
      { predictionId: randomUUID(), actual: 'yes' },
      { predictionId: b, actual: 1 },
      { predictionId: b.toUpperCase(), actual: 'no' },
    ];
    const results = await store.join(items, undefined);
    expect(results.map(({ result }) => result)).toEqual(['recorded', 'unknown', 'invalid', 'recorded']);
    expect(results[2]).toMatchObject({ model: 'm', reason: 'must be one of "no", "yes", got 1' });
    expect(await joinOne(store, a, 'yes')).toEqual({ result: 'already_recorded', model: 'm' });
    expect(await joinOne(store, a, 'no')).toMatchObject({ result: 'conflict', model: 'm' });
    const many = await Promise.all(Array.from({ length: 50 }, () => joinOne(store, c, 'yes')));
    expect(many.filter((it) => it?.result === 'recorded')).toHaveLength(1);
    expect(many.filter((it) => it?.result === 'already_recorded')).toHaveLength(49);
    const [sums] = (await store.sums()) ?? [];
    expect(sums && toQuality(sums.shape, sums.cells)).toMatchObject({
      feedback: 3,
      accuracy: 2 / 3,
      confusion: {
        counts: [
          [0, 1],
          [0, 2],
        ],
      },
    });
    expect(opened.dropped).toBe(0);
  });

  test('a prediction belongs to its key', async () => {
    await using opened = await open();
    const { store } = opened;
    const [own, open_] = [predictionEvent(binary, yes, 'a'), predictionEvent(binary, yes)];
    store.keep(own);
    store.keep(open_);
    expect(await joinOne(store, own.predictionId, 'yes', 'b')).toEqual({ result: 'unknown' });
    expect(await joinOne(store, own.predictionId, 'yes')).toEqual({ result: 'unknown' });
    expect(await joinOne(store, open_.predictionId, 'yes', 'a')).toEqual({ result: 'unknown' });
    expect(await joinOne(store, own.predictionId, 'yes', 'a')).toMatchObject({ result: 'recorded' });
  });

  test('numbers, named numbers and labels without known classes can get feedback, plain tensors cannot', async () => {
    await using opened = await open();
    const { store } = opened;
    const judge = async (shape: OutcomeShape, value: Value, ...actuals: unknown[]) => {
      const event = predictionEvent(shape, value);
      store.keep(event);
      const results = [];
      for (const actual of actuals) results.push((await joinOne(store, event.predictionId, actual))?.result);
      return results;
    };
    expect(
      await judge({ kind: 'numbers' }, { prediction: 2.5 }, '2', Number.POSITIVE_INFINITY, null, 2, 2),
    ).toEqual(['invalid', 'invalid', 'invalid', 'recorded', 'already_recorded']);
    const named: OutcomeShape = { kind: 'numbers', names: ['h', '__proto__'] };
    const prediction = Object.fromEntries([
      ['h', 1],
      ['__proto__', 2],
    ]);
    const actual = JSON.parse('{"__proto__": 3, "h": 1}');
    expect(await judge(named, { prediction }, 1, { h: 1 }, { h: 1, x: 2 }, actual)).toEqual([
      'invalid',
      'invalid',
      'invalid',
      'recorded',
    ]);
    expect(await judge({ kind: 'classes' }, { prediction: 7 }, '7', 7)).toEqual(['invalid', 'recorded']);
    expect(await judge(undefined as unknown as OutcomeShape, { outputs: {} }, 1)).toEqual(['unknown']);
    const sums = (await store.sums()) ?? [];
    expect(sums.map(({ cells }) => cells['n'])).toEqual([1, 1, 1]);
    const [of] = sums.flatMap((it) =>
      'names' in it.shape && it.shape.names ? [toQuality(it.shape, it.cells)] : [],
    );
    expect(of).toMatchObject({
      outputs: [
        { output: 'h', mae: 0 },
        { output: '__proto__', mae: 1, bias: -1 },
      ],
    });
  });

  test('the last predictions are kept, up to the maximum', async () => {
    await using opened = await open({ maxPredictions: 32 });
    const { store } = opened;
    const events = Array.from({ length: 320 }, () => predictionEvent(binary, yes));
    for (const [k, event] of events.entries()) {
      store.keep(event);
      // In portions, as they come to a shared store.
      if (k % 2 === 1) await store.join([{ predictionId: randomUUID(), actual: 0 }], undefined);
    }
    const results = await store.join(
      events.map(({ predictionId }) => ({ predictionId, actual: 'yes' })),
      undefined,
    );
    const recorded = results.map(({ result }) => result === 'recorded');
    expect(recorded.filter(Boolean).length).toBeGreaterThanOrEqual(28);
    expect(recorded.filter(Boolean).length).toBeLessThanOrEqual(36);
    expect(recorded.lastIndexOf(false)).toBeLessThan(recorded.indexOf(true));
  });
}
