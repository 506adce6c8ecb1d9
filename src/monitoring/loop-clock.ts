import { performance } from 'node:perf_hooks';

/** Tells since when the requests of this turn of the event loop may have been waiting to be looked at. */
export interface LoopClock {
  /** The earliest moment at which a request that is seen now can have arrived, by `performance.now()`. */
  arrivedAt(): number;
  /** Forgets what the loop was busy with before there could be a request. */
  reset(): void;
  close(): void;
}

/** While no request comes, how often it is noted that nothing holds the loop up. */
const markEveryMs = 200;

/**
 * A loop that was busy has let its sockets wait: for as long as it was, which is the time that passed since its last
 * turn ended less the time that it has been idle since (libuv measures that: uv_metrics_idle_time). Reading both costs
 * a tenth of a microsecond.
 */
export function createLoopClock(): LoopClock {
  let markedAt = performance.now();
  let markedIdle = performance.nodeTiming.idleTime;
  let immediate: NodeJS.Immediate | undefined;
  // After the loop has read its sockets: what they waited for has been told to their requests by then.
  const mark = (): void => {
    clearImmediate(immediate);
    immediate = undefined;
    markedAt = performance.now();
    markedIdle = performance.nodeTiming.idleTime;
  };
  const markSoon = (): void => {
    immediate ??= setImmediate(mark);
  };
  const timer = setInterval(markSoon, markEveryMs);
  timer.unref();
  return {
    arrivedAt() {
      markSoon();
      const now = performance.now();
      const busyMs = now - markedAt - (performance.nodeTiming.idleTime - markedIdle);
      return now - Math.max(0, busyMs);
    },
    reset: mark,
    close() {
      clearInterval(timer);
      clearImmediate(immediate);
    },
  };
}
