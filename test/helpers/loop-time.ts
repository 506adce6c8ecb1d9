const stepMs = 10;

/**
 * Milliseconds of loop time that this process had since the start. Time that the machine gave to other processes does
 * not count: a late turn counts as two steps at most. So a limit on a wait also holds on a busy machine.
 */
export function startLoopTime(): { readonly elapsedMs: () => number } & Disposable {
  let countedMs = 0;
  let last = performance.now();
  const count = () => {
    const now = performance.now();
    countedMs += Math.min(now - last, 2 * stepMs);
    last = now;
  };
  const timer = setInterval(count, stepMs);
  return {
    elapsedMs: () => {
      count();
      return countedMs;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
