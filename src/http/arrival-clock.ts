import { performance } from 'node:perf_hooks';

/** Tells since when the requests of this turn of the event loop may have been waiting to be looked at. */
export interface LoopClock {
  /** The earliest moment at which a request that is seen now, on a connection, can have arrived, by `performance.now()`. */
  arrivedAt(connection?: object): number;
  /** Notes a connection that is taken now. */
  accept(connection: object): void;
  /** Forgets what the loop was busy with before there could be a request. */
  reset(): void;
  close(): void;
}

/** While no request comes, how often it is noted that nothing holds the loop up. */
const markEveryMs = 200;

/** Connections that the kernel keeps for a server that does not take them (Node's own backlog). */
const maxWaiting = 511;

/**
 * A loop that was busy has let its sockets wait: for as long as it was, which is the time that passed since its last
 * turn ended less the time that it has been idle since (libuv measures that: uv_metrics_idle_time). Reading both costs
 * a tenth of a microsecond. A connection that waited to be taken has its request read one turn later still.
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
  // Connections taken in this turn, and in the one before: what waits on those is read now.
  let taking: Map<object, number> | undefined;
  let taken: Map<object, number> | undefined;
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
  // A turn takes one connection (libuv 1.46): one that is taken in the turn after another may have waited as long.
  let inRow = 0;
  let rowSince = 0;
  const endTurn = (): void => {
    const last = taking;
    taken = last;
    taking = undefined;
    setImmediate(() => {
      if (taken === last) taken = undefined;
      // A turn that found no connection to be taken: whoever comes next has waited for no other.
      if (taking === undefined) inRow = 0;
    });
  };
  return {
    arrivedAt(connection) {
      const since = waitingSince();
      if (taken === undefined || connection === undefined) return since;
      return Math.min(since, taken.get(connection) ?? since);
    },
    accept(connection) {
      if (taking === undefined) {
        taking = new Map();
        setImmediate(endTurn);
      }
      if (inRow === maxWaiting) inRow = 0;
      rowSince = inRow === 0 ? waitingSince() : Math.min(rowSince, waitingSince());
      inRow += 1;
      taking.set(connection, rowSince);
    },
    reset: mark,
    close() {
      clearInterval(timer);
      clearImmediate(immediate);
    },
  };
}
