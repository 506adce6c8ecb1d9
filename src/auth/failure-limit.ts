const maxFailures = 20;
const windowMs = 60_000;
/** At most 3 MB. Beyond it the client whose last failure is the oldest is forgotten. */
const maxClients = 10_000;

export interface FailureLimit {
  /** How long the client stays blocked; undefined if it is not. */
  blockedMs(client: string): number | undefined;
  /** Records a failure. Do not call while the client is blocked, or the block would be extended. */
  record(client: string): void;
}

/** Exact for every period of a minute, in this process only. `now` is a monotonic clock. */
export function createFailureLimit(now: () => number = () => performance.now()): FailureLimit {
  /** Moments of each client's last 20 failures, oldest first. Clients are in the order of their last failure. */
  const failures = new Map<string, readonly number[]>();
  return {
    blockedMs(client) {
      const moments = failures.get(client) ?? [];
      if (moments.length < maxFailures) return undefined;
      const leftMs = (moments[0] as number) + windowMs - now();
      return leftMs > 0 ? leftMs : undefined;
    },
    record(client) {
      const before = failures.get(client) ?? [];
      failures.delete(client);
      failures.set(client, [...before.slice(1 - maxFailures), now()]);
      if (failures.size > maxClients) failures.delete(failures.keys().next().value as string);
    },
  };
}
