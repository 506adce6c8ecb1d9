import { randomFillSync } from 'node:crypto';

/** What a caller sent: W3C Trace Context, level 1. */
export interface RemoteParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const maxStateLength = 512;

/** Undefined if the header is missing or invalid: then a new trace begins, as the standard demands. */
export function readTraceParent(header: unknown): RemoteParent | undefined {
  if (typeof header !== 'string' || header.length > 255) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = form.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The state of other vendors, unread. Undefined if it is missing, too long, or not printable. */
export function readTraceState(header: unknown): string | undefined {
  const text = Array.isArray(header) ? header.join(',') : header;
  if (typeof text !== 'string' || text.length > maxStateLength) return undefined;
  return /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

export function writeTraceParent({ traceId, spanId, isSampled }: RemoteParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** Random bytes for many ids: one call of the generator for each id takes 4 µs. Each byte is used once. */
const pool = Buffer.allocUnsafe(8_192);
let used = pool.length;

export const createTraceId = (): string => takeHex(16);
export const createSpanId = (): string => takeHex(8);

function takeHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
