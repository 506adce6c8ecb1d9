import { describe, expect, test } from 'vitest';
import type { Limit, Limiter, LimitResult } from '../../src/rate-limit/limiter.js';
import { createRandom } from '../helpers/onnx/random.js';

/** A limiter and its clock: a manual one, or the real one. */
export interface LimiterWorld {
  readonly limiter: Limiter;
  now(): number;
  wait(ms: number): Promise<void>;
  /** Long compared with the time of one `take`. */
  readonly windowMs: number;
  /** Allowed difference between `now` and the limiter's clock, besides the time of the `take` itself. */
  readonly slackMs: number;
}

interface Asked extends LimitResult {
  readonly cost: number;
  readonly from: number;
  readonly to: number;
}

/** The suite of every limiter. It reads the clock before and after each `take`: the limiter counted in between. */
export function describeLimiter(name: string, createWorld: () => LimiterWorld): void {
  let ids = 0;
  const setUp = (max: number) => {
    const world = createWorld();
    const limit: Limit = { max, windowMs: world.windowMs };
    ids += 1;
    const id = `client-${ids}`;
    const ask = async (cost = 1, own = limit): Promise<Asked> => {
      const from = world.now();
      const result = await world.limiter.take(id, own, cost);
      return { ...result, cost, from, to: world.now() };
    };
    return { ...world, limit, id, ask };
  };

  describe(name, () => {
    test('admits as many requests as the limit allows, and returns how many are left', async () => {
      const { ask } = setUp(3);
      const results = [await ask(), await ask(), await ask(), await ask(), await ask()];
      expect(results.map((it) => it.isAdmitted)).toEqual([true, true, true, false, false]);
      expect(results.map((it) => it.remaining)).toEqual([2, 1, 0, 0, 0]);
    });

    test('admits exactly the requests that fit when many arrive at once', async () => {
      const { ask } = setUp(10);
      const results = await Promise.all(Array.from({ length: 25 }, () => ask()));
      expect(results.map((it) => it.isAdmitted)).toEqual(Array.from({ length: 25 }, (_, k) => k < 10));
      expect(results.slice(0, 10).map((it) => it.remaining)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    });

    test('counts each client separately', async () => {
      const { limiter, limit, ask } = setUp(1);
      const other = await limiter.take('another', limit, 1);
      expect([(await ask()).isAdmitted, other.isAdmitted, (await ask()).isAdmitted]).toEqual([
        true,
        true,
        false,
      ]);
    });

    test('takes a cost all or nothing, and still admits a cheaper request after a refusal', async () => {
      const { ask } = setUp(10);
      const results = [await ask(7), await ask(4), await ask(3), await ask(1)];
      expect(results.map((it) => it.isAdmitted)).toEqual([true, false, true, false]);
      expect(results.map((it) => it.remaining)).toEqual([3, 3, 0, 0]);
    });

    test('admits a refused request after `resetMs`, and not before', async () => {
      const { ask, wait, windowMs, slackMs } = setUp(4);
      await ask(2);
      await wait(windowMs / 4);
      await ask(1);
      const full = await ask(1);
      for (const cost of [1, 3]) {
        const refused = await ask(cost);
        expect(refused.isAdmitted).toBe(false);
        // Cost 3 needs a place that was taken a quarter of the window later.
        const expected = full.from + (cost === 1 ? 0.75 : 1) * windowMs - refused.from;
        expect(Math.abs(refused.resetMs - expected)).toBeLessThan(slackMs + windowMs / 10);
        // Waits from the moment of the result, since the moment of the count is unknown.
        if (cost === 3) await wait(refused.resetMs + slackMs);
      }
      expect((await ask(3)).isAdmitted).toBe(true);
    });

    test('returns the time until the oldest place is free to an admitted request', async () => {
      const { ask, wait, windowMs, slackMs } = setUp(4);
      const first = await ask();
      await wait(windowMs / 2);
      const second = await ask();
      const passed = second.from - first.from;
      expect(first.resetMs).toBeGreaterThan(windowMs - slackMs - (first.to - first.from));
      expect(Math.abs(second.resetMs - (windowMs - passed))).toBeLessThan(slackMs + windowMs / 10);
    });

    test('never admits a request that costs more than the limit, and none if the limit is 0', async () => {
      const { ask, limit } = setUp(2);
      expect(await ask(3)).toMatchObject({ isAdmitted: false, remaining: 2, resetMs: limit.windowMs });
      expect(await ask(1, { ...limit, max: 0 })).toMatchObject({ isAdmitted: false, remaining: 0 });
      expect((await ask(2)).isAdmitted).toBe(true);
    });

    test('counts earlier requests against a limit that was lowered', async () => {
      const { ask, wait, limit, slackMs } = setUp(5);
      for (let k = 0; k < 5; k += 1) await ask();
      const lowered = { ...limit, max: 2 };
      const refused = await ask(1, lowered);
      expect(refused).toMatchObject({ isAdmitted: false, remaining: 0 });
      await wait(refused.resetMs + slackMs);
      expect((await ask(1, lowered)).isAdmitted).toBe(true);
    });

    test('never exceeds the limit in any window or refuses a request that fits, at random times', async () => {
      const random = createRandom(5);
      // Bursts, single requests, and pauses of up to half a window.
      const plans = Array.from({ length: 3 }, () => {
        const max = 3 + Math.floor(random() * 20);
        const steps = Array.from({ length: 40 }, () => {
          const burst = random() < 0.3 ? Math.ceil(random() * max) : 1;
          const costs = Array.from({ length: burst }, () => (random() < 0.8 ? 1 : Math.ceil(random() * 3)));
          return { costs, pause: random() < 0.5 ? random() ** 2 / 2 : 0 };
        });
        return { max, steps };
      });
      let admitted = 0;
      let refused = 0;
      // The rounds run at the same moment: in Redis each lasts several windows.
      const rounds = plans.map(async ({ max, steps }) => {
        const { ask, wait, windowMs, slackMs } = setUp(max);
        const all: Asked[] = [];
        for (const { costs, pause } of steps) {
          all.push(...(await Promise.all(costs.map((cost) => ask(cost)))));
          if (pause > 0) await wait(pause * windowMs);
        }
        const taken = all.filter((it) => it.isAdmitted);
        admitted += taken.length;
        refused += all.length - taken.length;
        for (const [k, first] of taken.entries()) {
          // Surely within one window: from before the first `take` to after the last result.
          const inside = taken.slice(k).filter((it) => it.to - first.from < windowMs - slackMs);
          expect(costOf(inside)).toBeLessThanOrEqual(max);
        }
        // A refusal holds from the moment at which the result arrived, which may be this late.
        const lateMs = slackMs + Math.max(...all.map(({ from, to }) => to - from));
        for (const it of all.filter((other) => !other.isAdmitted)) {
          // All requests that may have been within the window before it.
          const inside = taken.filter(
            (other) => other.to > it.from - windowMs - lateMs && other.from <= it.to,
          );
          expect(costOf(inside) + it.cost).toBeGreaterThan(max);
        }
      });
      await Promise.all(rounds);
      expect(Math.min(admitted, refused)).toBeGreaterThan(20);
    });
  });
}

const costOf = (all: readonly Asked[]) => all.reduce((sum, it) => sum + it.cost, 0);
