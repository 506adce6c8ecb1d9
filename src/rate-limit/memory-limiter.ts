import type { AdmissionWindow } from './admission-window.js';
import type { Limiter } from './limiter.js';
import { SlidingWindow } from './sliding-window.js';

export interface MemoryLimiterOptions {
  /** Bound for all logs together. Beyond it the least recently used log is dropped. */
  readonly maxBytes: number;
  /** The log of a new id. The default is for costs of 1. */
  readonly createWindow?: () => AdmissionWindow;
  /** A monotonic clock in milliseconds: a change of the time of day does not affect limits. */
  readonly now?: () => number;
}

/** Memory of an id besides its ring: measured on Node 20 with addresses as ids. */
const bytesOfLog = 340;

/**
 * Counts in this process only, with a log of every admitted request: exact for every period, and O(1) on average.
 * A client takes at most 340 bytes plus 16 for each request of its `max`, or 32 for each request in a `CostWindow`.
 */
export function createMemoryLimiter({
  maxBytes,
  createWindow = () => new SlidingWindow(),
  now = () => performance.now(),
}: MemoryLimiterOptions): Limiter {
  const logs = new Map<string, AdmissionWindow>();
  let newest: AdmissionWindow | undefined;
  let bytes = 0;

  const find = (id: string): AdmissionWindow => {
    let log = logs.get(id);
    if (log !== undefined && log === newest) return log;
    if (log !== undefined) logs.delete(id);
    else {
      log = createWindow();
      bytes += bytesOf(log);
    }
    logs.set(id, log);
    newest = log;
    return log;
  };
  const makeRoom = (): void => {
    for (const [id, log] of logs) {
      if (bytes <= maxBytes || log === newest) return;
      bytes -= bytesOf(log);
      logs.delete(id);
    }
  };

  return {
    take(id, { max, windowMs }, cost) {
      const moment = now();
      const log = find(id);
      log.expire(moment - windowMs);
      const isAdmitted = log.used + cost <= max;
      if (isAdmitted) {
        const before = log.bytes;
        log.add(moment, cost);
        bytes += log.bytes - before;
      }
      if (bytes > maxBytes) makeRoom();
      const { used } = log;
      // Admissions that must expire first. More than exist if the cost exceeds `max`.
      const expiring = isAdmitted ? 1 : used + cost - max;
      return {
        isAdmitted,
        remaining: Math.max(0, max - used),
        // This order avoids a rounding error of the sum, which would add a second to `Retry-After`.
        resetMs: expiring > used ? windowMs : windowMs - (moment - log.momentOf(expiring)),
      };
    },
    close: () => logs.clear(),
  };
}

function bytesOf(log: AdmissionWindow): number {
  return bytesOfLog + log.bytes;
}
