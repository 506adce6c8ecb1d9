/** At most `max` requests in any period of `windowMs`, wherever it begins. A `max` of 0 admits no request. */
export interface Limit {
  readonly max: number;
  readonly windowMs: number;
}

export interface LimitResult {
  readonly isAdmitted: boolean;
  readonly remaining: number;
  /** Admitted: until `remaining` grows. Refused: until the request would pass, or `windowMs` if it costs over `max`. */
  readonly resetMs: number;
}

export interface Limiter {
  /** Takes `cost` from the limit of the client `id`, all or nothing. Never throws and never rejects. */
  take(id: string, limit: Limit, cost: number): LimitResult | Promise<LimitResult>;
  close(): void;
}
