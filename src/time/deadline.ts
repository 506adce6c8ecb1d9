export const noAnswer = Symbol('no answer in time');

/** A timer that comes later than this was held up by our own thread. */
const lateMs = 10;

/**
 * What a promise gives, or `noAnswer` after so many milliseconds. Time for which this thread stood still does not
 * count: timers come before what the sockets have received, so a loop that was blocked for as long as the deadline
 * would take answers that are there for answers that have not come.
 */
export function withDeadline<T>(promise: Promise<T>, timeoutMs: number): Promise<T | typeof noAnswer> {
  return new Promise((resolve, reject) => {
    const dueAt = performance.now() + timeoutMs;
    const giveUp = () => resolve(noAnswer);
    // After the timers the sockets are read, and then comes what was set with `setImmediate`.
    const expire = () => {
      if (performance.now() - dueAt > lateMs) timer = setTimeout(() => setImmediate(giveUp), timeoutMs);
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
