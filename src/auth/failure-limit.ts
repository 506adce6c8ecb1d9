/** Wrong keys of each client that has no right one: so many in any minute. */
const maxFailures = 20;
const windowMs = 60_000;
/** 3 MB at most. Beyond it the client that has failed the longest ago is forgotten. */
const maxClients = 10_000;

/** Counts the wrong keys of each client, so that nobody can go on trying. */
export interface FailureLimit {
  /** The milliseconds until the client may fail again; undefined where it may now. */
  isBarred(client: string): number | undefined;
  /** The client has failed. Not to be told while it is barred: then the bar ends when it was said to. */
  tell(client: string): void;
}

/**
 * Exact for every stretch of a minute, in this process alone. `now` never goes back: nobody's change of the time of
 * day touches a limit.
 */
export function createFailureLimit(now: () => number = () => performance.now()): FailureLimit {
  /** When the last 20 failures of each were, the oldest first; in the order of the last failure. */
  const failures = new Map<string, readonly number[]>();
  return {
    isBarred(client) {
      const moments = failures.get(client) ?? [];
      if (moments.length < maxFailures) return undefined;
      const leftMs = (moments[0] as number) + windowMs - now();
      return leftMs > 0 ? leftMs : undefined;
    },
    tell(client) {
      const before = failures.get(client) ?? [];
      failures.delete(client);
      failures.set(client, [...before.slice(1 - maxFailures), now()]);
      if (failures.size > maxClients) failures.delete(failures.keys().next().value as string);
    },
  };
}
