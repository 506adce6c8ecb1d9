export const noAnswer = Symbol('no answer in time');

/** A timer that fires later than this was delayed by this thread itself. */
const lateMs = 10;

/**
 * Resolves with the value of the promise, or with `noAnswer` after `timeoutMs`. Time in which this thread was blocked
 * does not count: Node runs timers before it reads sockets, so that after a long block the deadline would expire
 * although the answer has arrived. After such a block the answer has `graceMs` more.
 */
export function withDeadline<T>(
  promise: Promise<T>,
  timeoutMs: number,
  graceMs = timeoutMs,
): Promise<T | typeof noAnswer> {
  return new Promise((resolve, reject) => {
    const dueAt = performance.now() + timeoutMs;
    const giveUp = () => resolve(noAnswer);
    // Order of a loop turn: timers, sockets, `setImmediate`.
    const expire = () => {
      if (performance.now() - dueAt > lateMs) timer = setTimeout(() => setImmediate(giveUp), graceMs);
      else setImmediate(giveUp);
    };
    let timer = setTimeout(expire, timeoutMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
