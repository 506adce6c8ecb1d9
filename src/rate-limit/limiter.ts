/** So many may come in any stretch of time of that length. A `max` of 0 lets nobody in. */
export interface Limit {
  readonly max: number;
  readonly windowMs: number;
}

export interface LimitResult {
  readonly isAdmitted: boolean;
  /** What is left of the limit now. */
  readonly remaining: number;
  /**
   * Until more is left than now; for who was refused, until the same would be let in. Where it never would be, since
   * it costs more than `max`, the window.
   */
  readonly resetMs: number;
}

/**
 * Counts who comes. Implementations keep the promise of `Limit` for every stretch of time, not for those alone that
 * begin with a clock's minute.
 */
export interface Limiter {
  /** Takes `cost` of what is left to `id`, all or nothing. Never throws and never rejects. */
  take(id: string, limit: Limit, cost: number): LimitResult | Promise<LimitResult>;
  close(): void;
}
