/** Work in small steps: at each `yield` the work may pause for a turn of the event loop. */
export type Steps<T> = Generator<void, T>;

const maxSliceMs = 8;

/** Resolves after one turn of the event loop, in which other requests get the thread. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const waiting: (() => void)[] = [];

/**
 * Resolves in a turn of the event loop of its own: one caller a turn, in order. However many batches a server works on,
 * other requests wait for one step of one of them.
 */
export function nextTurnAlone(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(beginNext);
  });
}

function beginNext(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(beginNext);
}

export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Takes the thread for up to `sliceMs` at a time, and at least for one step. */
export async function runInSlices<T>(steps: Steps<T>, sliceMs = maxSliceMs): Promise<T> {
  let until = performance.now() + sliceMs;
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + sliceMs;
  }
}

/**
 * For work in asynchronous steps: call the returned function between two of them. It gives the thread away when the time
 * of a slice is used up.
 */
export function createPauses(sliceMs: number): () => Promise<void> {
  let until = performance.now() + sliceMs;
  return async () => {
    if (performance.now() < until) return;
    await nextTurn();
    until = performance.now() + sliceMs;
  };
}
