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

  test('an actual number too far from the prediction is refused, and the sums stay finite', async () => {
    await using opened = await open();
    const { store } = opened;
    const events = [0, 1, 2].map(() => predictionEvent({ kind: 'numbers' }, { prediction: 3 }));
    for (const event of events) store.keep(event);
    const [a = '', b = '', c = ''] = events.map(({ predictionId }) => predictionId);
    for (const actual of [1e200, -1e308, 1.1e100])
      expect(await joinOne(store, a, actual), String(actual)).toEqual({
        result: 'invalid',
        model: 'm',
        reason: 'must differ from the prediction by at most 1e+100',
      });
    // Nothing was recorded by the refused ones.
    expect(await joinOne(store, a, 4)).toMatchObject({ result: 'recorded' });
    expect((await store.sums())?.[0]?.cells).toEqual({ n: 1, abs0: 1, sq0: 1, err0: -1 });
    for (const id of [b, c]) expect(await joinOne(store, id, -9e99)).toMatchObject({ result: 'recorded' });
    const [sums] = (await store.sums()) ?? [];
    expect(sums?.cells['sq0']).toBeGreaterThan(1e200);
    expect(Object.values(sums?.cells ?? {}).every(Number.isFinite)).toBe(true);
    const names: OutcomeShape = { kind: 'numbers', names: ['x', 'y'] };
    const named = predictionEvent(names, { prediction: { x: 1, y: 2 } });
    store.keep(named);
    expect(await joinOne(store, named.predictionId, { x: 1, y: 1e180 })).toMatchObject({ result: 'invalid' });
  });

  test('errors far below one are summed up as exactly as others', async () => {
    await using opened = await open();
    const { store } = opened;
    const events = [1e-10, 3e-10, 1e-150].map((prediction) =>
      predictionEvent({ kind: 'numbers' }, { prediction }),
    );
    for (const event of events) {
      store.keep(event);
      expect(await joinOne(store, event.predictionId, 0)).toMatchObject({ result: 'recorded' });
    }
    const [sums] = (await store.sums()) ?? [];
    expect(sums?.cells).toEqual({ n: 3, abs0: 1e-10 + 3e-10, sq0: 1e-20 + 9e-20, err0: 1e-10 + 3e-10 });
    const bins = predictionEvent(binary, { prediction: 'no', probability: 1, probabilities: [1, 3e-11] });
    store.keep(bins);
    expect(await joinOne(store, bins.predictionId, 'no')).toMatchObject({ result: 'recorded' });
    const own = (await store.sums())?.find(({ shape }) => shape.kind === 'classes');
    expect(own?.cells).toMatchObject({ brier: 3e-11 ** 2, bin0_p: 3e-11 });
  });

  test('a class that no version declares is a short text or a finite number', async () => {
    await using opened = await open();
    const { store } = opened;
    const text = predictionEvent({ kind: 'classes' }, { prediction: 'a' });
    const number = predictionEvent({ kind: 'classes', classes: undefined }, { prediction: 1 });
    for (const event of [text, number]) store.keep(event);
    expect(await joinOne(store, text.predictionId, 'x'.repeat(1_000_000))).toMatchObject({
      result: 'invalid',
      reason: 'must have at most 256 characters, got 1000000',
    });
    expect(await joinOne(store, text.predictionId, 'x'.repeat(257))).toMatchObject({ result: 'invalid' });
    expect(await joinOne(store, text.predictionId, '\ud800'.repeat(256))).toMatchObject({
      result: 'recorded',
    });
    expect(await joinOne(store, number.predictionId, Number.POSITIVE_INFINITY)).toMatchObject({
      result: 'invalid',
      reason: 'must be a finite number',
    });
  });

  test('classes that no version declares are counted singly up to a limit, and the accuracy is exact', async () => {
    await using opened = await open({ maxPredictions: 4_000 });
    const { store } = opened;
    const shape: OutcomeShape = { kind: 'classes' };
    const send = async (pairs: readonly (readonly [predicted: string, actual: string])[]) => {
      const items = pairs.map(([prediction, actual]) => {
        const event = predictionEvent(shape, { prediction });
        store.keep(event);
        return { predictionId: event.predictionId, actual };
      });
      const results = await store.join(items, undefined);
      expect(results.filter(({ result }) => result === 'recorded')).toHaveLength(pairs.length);
    };
    // Clients name 1,000 classes that the model never predicts.
    await send(Array.from({ length: 1_000 }, (_, k) => ['known', `wrong ${k}`]));
    // The model predicts 1,200 others, and is right with all but 300.
    await send(Array.from({ length: 1_200 }, (_, k) => [`class ${k}`, k < 300 ? 'known' : `class ${k}`]));
    const [sums] = (await store.sums()) ?? [];
    expect(Object.keys(sums?.cells ?? {}).length).toBeLessThanOrEqual(1 + 3 * 1_001);
    const quality = toQuality(shape, sums?.cells ?? {});
    if (!('classes' in quality)) throw new Error('no classification');
    expect([quality.feedback, quality.accuracy]).toEqual([2_200, 900 / 2_200]);
    expect(quality.classes.length).toBeLessThanOrEqual(1_001);
    const total = (name: 'actual' | 'predicted') => quality.classes.reduce((sum, it) => sum + it[name], 0);
    expect([total('actual'), total('predicted')]).toEqual([2_200, 2_200]);
    expect(quality.classes.find((it) => it.class === 'known')).toMatchObject({
      predicted: 1_000,
      actual: 300,
    });
    expect(quality.classes.find((it) => it.class === '(other)')?.actual).toBeGreaterThan(500);
    // Half of the room is left to the classes that the model predicts.
    const own = quality.classes.filter((it) => String(it.class).startsWith('class'));
    expect(own.length).toBeGreaterThanOrEqual(499);
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
