/** A source of metrics failed. Called again for it only after it has worked. */
export type OnSourceFailure = (error: unknown, source: string) => void;

/** Resolves with what a source reads; with undefined if it fails, since one source must not end a whole scrape. */
type SourceGuard = <T>(source: string, read: () => T | Promise<T>) => Promise<T | undefined>;

export function createSourceGuard(onFailure: OnSourceFailure | undefined): SourceGuard {
  const failing = new Set<string>();
  return async (source, read) => {
    try {
      const value = await read();
      failing.delete(source);
      return value;
    } catch (error) {
      if (!failing.has(source)) onFailure?.(error, source);
      failing.add(source);
      return undefined;
    }
  };
}
