import { describe, expect, test } from 'vitest';
import { Breaker } from '../../src/redis/breaker.js';

/** A breaker whose first probe succeeded at time 0. */
function createClosed(): Breaker {
  const breaker = new Breaker(0);
  breaker.startProbe();
  breaker.endProbe(0, true);
  return breaker;
}

function probe(breaker: Breaker, now: number, hasWorked: boolean): void {
  breaker.startProbe();
  breaker.endProbe(now, hasWorked);
}

describe('a circuit breaker', () => {
  test('is open at first, with a probe due at once', () => {
    const breaker = new Breaker(7);
    expect(breaker).toMatchObject({ isClosed: false, probeAt: 7 });
  });

  test('opens after three failures in a row', () => {
    const breaker = createClosed();
    breaker.fail(1, false);
    breaker.fail(2, false);
    expect(breaker.isClosed).toBe(true);
    breaker.fail(3, false);
    expect(breaker).toMatchObject({ isClosed: false, probeAt: 503 });
  });

  test('stays closed while a success follows every two failures', () => {
    const breaker = createClosed();
    for (let now = 1; now < 100; now += 1) {
      breaker.fail(now, false);
      breaker.fail(now, false);
      breaker.succeed();
    }
    expect(breaker.isClosed).toBe(true);
  });

  test('opens after one failure that is certain', () => {
    const breaker = createClosed();
    breaker.fail(1, true);
    expect(breaker.isClosed).toBe(false);
  });

  test('closes after a successful probe', () => {
    const breaker = createClosed();
    breaker.fail(0, true);
    breaker.startProbe();
    expect(breaker).toMatchObject({ isClosed: false, probeAt: undefined });
    breaker.endProbe(510, true);
    expect(breaker.isClosed).toBe(true);
  });

  test('doubles its pauses from 0.5 to 5 s', () => {
    const breaker = createClosed();
    breaker.fail(0, true);
    const pauses = [1, 2, 3, 4, 5, 6].map(() => {
      const at = breaker.probeAt ?? Number.NaN;
      probe(breaker, at, false);
      return (breaker.probeAt ?? Number.NaN) - at;
    });
    expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
  });

  test('keeps doubling its pauses if it fails again soon after a successful probe', () => {
    const breaker = createClosed();
    breaker.fail(0, true);
    probe(breaker, 500, true);
    breaker.fail(600, true);
    expect(breaker.probeAt).toBe(1_600);
    probe(breaker, 1_600, true);
    breaker.fail(1_700, true);
    expect(breaker.probeAt).toBe(3_700);
  });

  test('resets its pause after five seconds without a failure', () => {
    const breaker = createClosed();
    breaker.fail(0, true);
    probe(breaker, 500, true);
    breaker.fail(5_500, true);
    expect(breaker.probeAt).toBe(6_000);
  });

  test('ignores late successes and failures', () => {
    const breaker = createClosed();
    breaker.fail(0, true);
    breaker.fail(400, true);
    breaker.succeed();
    expect(breaker).toMatchObject({ isClosed: false, probeAt: 500 });
    breaker.startProbe();
    breaker.fail(501, true);
    breaker.succeed();
    expect(breaker).toMatchObject({ isClosed: false, probeAt: undefined });
  });
});
