import { describe, expect, test } from 'vitest';
import { createMemoryFeedback } from '../../../src/monitoring/feedback/memory-feedback.js';
import { describeFeedbackStore, predictionEvent, shapeOf } from '../../contracts/feedback-store.js';

const defaults = { windowSeconds: 2_400, maxPredictions: 1_000, shapeOf };

describe('feedback in memory', () => {
  describeFeedbackStore(async (options) => {
    let dropped = 0;
    const store = createMemoryFeedback({
      ...defaults,
      onDrop: (count) => {
        dropped += count;
      },
      ...options,
    });
    return {
      store,
      get dropped() {
        return dropped;
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  });

  test('a prediction with a label too long, or one label too many, is dropped', async () => {
    let dropped = 0;
    const onDrop = (count: number) => {
      dropped += count;
    };
    const store = createMemoryFeedback({ ...defaults, maxPredictions: 20_000, onDrop });
    const shape = { kind: 'classes' } as const;
    const judge = async (prediction: unknown) => {
      const event = predictionEvent(shape, { prediction });
      store.keep(event);
      const { predictionId } = event;
      return (await store.join([{ predictionId, actual: prediction }], undefined))[0]?.result;
    };
    expect(await judge('x'.repeat(257))).toBe('unknown');
    expect(dropped).toBe(1);
    for (let k = 0; k < 10_000; k += 1) store.keep(predictionEvent(shape, { prediction: k }));
    expect(dropped).toBe(1);
    expect([await judge(10_000), await judge(9_999)]).toEqual(['unknown', 'recorded']);
    expect(dropped).toBe(2);
  });

  test('covers the window: predictions and figures leave after it, and only early ones count as dropped', async () => {
    let now = 0;
    let dropped = 0;
    const store = createMemoryFeedback({
      ...defaults,
      maxPredictions: 2,
      now: () => now,
      onDrop: (count) => {
        dropped += count;
      },
    });
    const shape = { kind: 'numbers' } as const;
    const keep = () => {
      const event = predictionEvent(shape, { prediction: 1 });
      store.keep(event);
      return event.predictionId;
    };
    const judge = async (predictionId: string) =>
      (await store.join([{ predictionId, actual: 1 }], undefined))[0]?.result;
    const [first, second] = [keep(), keep()];
    now = 2_399;
    expect(await judge(first)).toBe('recorded');
    now = 2_400;
    expect(await judge(second)).toBe('unknown');
    // The first had its feedback, and the window of the second has passed.
    keep();
    keep();
    expect(dropped).toBe(0);
    keep();
    expect(dropped).toBe(1);
    now = 2_399 + 2_300;
    expect(await store.sums()).toMatchObject([{ cells: { n: 1 } }]);
    now = 2_399 + 2_500;
    expect(await store.sums()).toEqual([]);
  });
});
