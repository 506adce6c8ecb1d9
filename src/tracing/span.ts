import type { RemoteParent } from './trace-context.js';

/** The numbers are those of OTLP. */
export const spanKinds = { internal: 1, server: 2, consumer: 5 } as const;

/** An ended span. Times are by `performance.now()`. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId?: string | undefined;
  readonly state?: string | undefined;
  readonly name: string;
  readonly kind: keyof typeof spanKinds;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly isError?: boolean;
  /** The span that caused this one, in another trace. */
  readonly link?: RemoteParent | undefined;
}
