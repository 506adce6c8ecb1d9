import { performance } from 'node:perf_hooks';

/** Estimates how long the requests of this turn of the event loop have waited while the loop was busy. */
export interface LoopClock {
  /** The earliest time, by `performance.now()`, at which a request that is read now can have arrived. */
  arrivedAt(connection?: object): number;
  accept(connection: object): void;
  /** Restarts the measurement. A loop that was busy before the server listened has delayed no request. */
  reset(): void;
  close(): void;
}

/** How often the loop's figures are read while no request comes. */
const markEveryMs = 200;

/** Node's default backlog: the connections that the kernel queues until the server accepts them. */
const maxWaiting = 511;

/**
 * While the loop is busy, sockets wait. Busy time = time since the last turn ended − idle time since then (libuv's
 * uv_metrics_idle_time). Reading both costs 0.1 µs. A new connection's request is read one turn after the accept.
 */
export function createLoopClock(): LoopClock {
  let markedAt = performance.now();
  let markedIdle = performance.nodeTiming.idleTime;
  let immediate: NodeJS.Immediate | undefined;
  // Runs after the loop has read its sockets. Their requests have their arrival times by then.
  const mark = (): void => {
    clearImmediate(immediate);
    immediate = undefined;
    markedAt = performance.now();
    markedIdle = performance.nodeTiming.idleTime;
  };
  // Connections accepted in this turn and in the one before, with their arrival times.
  let accepting: Map<object, number> | undefined;
  let accepted: Map<object, number> | undefined;
  const markSoon = (): void => {
    immediate ??= setImmediate(mark);
  };
  const timer = setInterval(markSoon, markEveryMs);
  timer.unref();
  const waitingSince = (): number => {
    markSoon();
    const now = performance.now();
    const busyMs = now - markedAt - (performance.nodeTiming.idleTime - markedIdle);
    return now - Math.max(0, busyMs);
  };
  // A turn accepts one connection (libuv 1.46). Connections of consecutive turns waited together: all get one time.
  let inRow = 0;
  let rowSince = 0;
  const endTurn = (): void => {
    const last = accepting;
    accepted = last;
    accepting = undefined;
    setImmediate(() => {
      if (accepted === last) accepted = undefined;
      // A turn without a new connection ends the series.
      if (accepting === undefined) inRow = 0;
    });
  };
  return {
    arrivedAt(connection) {
      const since = waitingSince();
      if (accepted === undefined || connection === undefined) return since;
      return Math.min(since, accepted.get(connection) ?? since);
    },
    accept(connection) {
      if (accepting === undefined) {
        accepting = new Map();
        setImmediate(endTurn);
      }
      if (inRow === maxWaiting) inRow = 0;
      rowSince = inRow === 0 ? waitingSince() : Math.min(rowSince, waitingSince());
      inRow += 1;
      accepting.set(connection, rowSince);
    },
    reset: mark,
    close() {
      clearInterval(timer);
      clearImmediate(immediate);
    },
  };
}
