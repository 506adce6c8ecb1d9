import type { FastifyBaseLogger } from 'fastify';
import type { ErrorCode, ServiceError } from '../errors.js';

/** Logs an answer that is our own fault, or that of too many requests. `keyId` says who asked, where that is known. */
export type FaultLog = (
  log: FastifyBaseLogger,
  error: ServiceError,
  requestId: string,
  keyId?: string | undefined,
) => void;

/** What comes with every request while it lasts: a line for each would cost more than the refusal, and fill the disk. */
const flooding: ReadonlySet<ErrorCode> = new Set(['overloaded', 'executor_lost', 'deadline_exceeded']);
const quietMs = 1_000;

/** Of the codes that come in floods one line a second, with the number of those before it that had none. */
export function createFaultLog(): FaultLog {
  const quiet = new Map<ErrorCode, { until: number; unlogged: number }>();
  return (log, error, requestId, keyId) => {
    const { code, status, message } = error;
    let unlogged = 0;
    if (flooding.has(code)) {
      const now = performance.now();
      const last = quiet.get(code);
      if (last !== undefined && now < last.until) {
        last.unlogged += 1;
        return;
      }
      unlogged = last?.unlogged ?? 0;
      quiet.set(code, { until: now + quietMs, unlogged: 0 });
    }
    const fault = {
      request_id: requestId,
      ...(keyId !== undefined && { key: keyId }),
      code,
      err: error.cause ?? error,
      ...(unlogged > 0 && { unlogged }),
    };
    if (status === 503) log.warn(fault, message);
    else log.error(fault, message);
  };
}
