const stepMs = 10;

/**
 * The time that the loop of this process had since the start, in ms. What the machine gave to others does not count:
 * a turn that comes late counts two steps at most. So a limit holds on a busy machine too, where a wait that
 * is the fault of the code takes as long as on an idle one.
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
