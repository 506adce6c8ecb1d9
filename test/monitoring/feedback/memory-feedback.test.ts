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
