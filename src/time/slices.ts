/** Work in small steps: each `yield` is a place where others may have the thread. */
export type Steps<T> = Generator<void, T>;

/** So long a slice lasts, in milliseconds, before the loop turns once. */
const maxSliceMs = 8;

/** Resolves once the event loop has turned: whoever waits for the thread has had it. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Does all of the work at once. Throws what the work throws. */
export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Does the work in slices, so that a thread that serves others is held for a few milliseconds at a time. */
export async function runInSlices<T>(steps: Steps<T>): Promise<T> {
  let until = performance.now() + maxSliceMs;
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + maxSliceMs;
  }
}
