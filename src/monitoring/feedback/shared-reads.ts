import type { VersionCells } from './quality-cells.js';

export type ReadSums = (model?: string) => Promise<readonly VersionCells[] | undefined>;

/** One read after the other. Callers that wait for the same model share the next read, which begins after their call. */
export function shareReads(read: ReadSums): ReadSums {
  const waiting = new Map<string | undefined, ReturnType<ReadSums>>();
  let last: Promise<unknown> = Promise.resolve();
  return (model) => {
    const shared = waiting.get(model);
    if (shared !== undefined) return shared;
    const next = last.then(() => {
      waiting.delete(model);
      return read(model);
    });
    waiting.set(model, next);
    last = next.catch(() => undefined);
    return next;
  };
}
