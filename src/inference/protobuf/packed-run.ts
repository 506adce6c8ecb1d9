import { int64At, ProtobufError, varintEnd } from './varint.js';

/**
 * A run is a sequence of fields with one tag, such as an unpacked list. Most bytes of a forest are runs, and such small
 * loops are fast from the first call. Each function returns the place of the first field that the reader must handle.
 */

/** Larger tags have more than one byte, and the loops compare one. */
const MAX_TAG = 127;

export interface Run {
  readonly end: number;
  readonly count: number;
}

/** Skips a run of numbers, or of texts of under 128 bytes. Stops early above `max` elements or the byte `stop`. */
export function skipRun(
  bytes: Uint8Array,
  start: number,
  limit: number,
  tag: number,
  max: number,
  stop: number,
): Run {
  if (tag > MAX_TAG) return { end: start, count: 0 };
  if ((tag & 7) === 0) return skipVarints(bytes, start, limit, tag, max, stop);
  let at = start;
  let count = 0;
  if ((tag & 7) === 2) {
    while (at < limit && at <= stop && bytes[at] === tag && count <= max) {
      const end = shortTextEnd(bytes, at, limit);
      if (end > limit) break;
      at = end;
      count += 1;
    }
    return { end: at, count };
  }
  const step = (tag & 7) === 1 ? 9 : 5;
  const last = Math.min(limit - step, start + step * max);
  while (at <= last && bytes[at] === tag) at += step;
  return { end: at, count: (at - start) / step };
}

function skipVarints(
  bytes: Uint8Array,
  start: number,
  limit: number,
  tag: number,
  max: number,
  stop: number,
): Run {
  let at = start;
  let count = 0;
  while (at < limit && at <= stop && bytes[at] === tag && count <= max) {
    // Most numbers of a forest take one to three bytes.
    if ((bytes[at + 1] as number) < 128 && at + 1 < limit) at += 2;
    else at = varintEnd(bytes, at + 1, limit);
    count += 1;
  }
  return { end: at, count };
}

export interface Int32List {
  readonly values: Int32Array;
  size: number;
}

/** A number that is no int32 becomes the lowest int32, which is no valid id in a model. */
export function putInt32(bytes: Uint8Array, at: number, into: Int32List): void {
  const value = int64At(bytes, at);
  into.values[into.size] = value === (value | 0) ? value : LOWEST_INT32;
  into.size += 1;
}

export const LOWEST_INT32 = -(2 ** 31);

export function readInt32Run(
  bytes: Uint8Array,
  start: number,
  limit: number,
  tag: number,
  into: Int32List,
): number {
  if (tag > MAX_TAG) return start;
  let at = start;
  while (at < limit && bytes[at] === tag) {
    const end = varintEnd(bytes, at + 1, limit);
    putInt32(bytes, at + 1, into);
    at = end;
  }
  return at;
}

/** A forest has BRANCH_LEQ or LEAF for each node, and only one of them matters: no strings are created. */
export interface FlagList {
  readonly values: Uint8Array;
  size: number;
}

export function readFlagRun(
  bytes: Uint8Array,
  start: number,
  limit: number,
  tag: number,
  wanted: Uint8Array,
  into: FlagList,
): number {
  if (tag > MAX_TAG) return start;
  let at = start;
  while (at < limit && bytes[at] === tag) {
    const end = shortTextEnd(bytes, at, limit);
    if (end > limit) break;
    putFlag(bytes, at + 2, end, wanted, into);
    at = end;
  }
  return at;
}

export function putFlag(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: Uint8Array,
  into: FlagList,
): void {
  let isWanted = end - start === wanted.length;
  for (let i = 0; isWanted && i < wanted.length; i++) isWanted = bytes[start + i] === wanted[i];
  into.values[into.size] = isWanted ? 1 : 0;
  into.size += 1;
}

/** Counts the varints of a packed list by their last bytes. Stops above `max`. */
export function countPacked(bytes: Uint8Array, start: number, end: number, max: number): number {
  let count = 0;
  for (let at = start; at < end && count <= max; at++) if ((bytes[at] ?? 0) < 128) count += 1;
  if (end > start && (bytes[end - 1] ?? 0) >= 128) throw new ProtobufError(`ends early at byte ${end}`);
  return count;
}

/** The end of a text whose length fits one byte; above `limit` for any other text. */
function shortTextEnd(bytes: Uint8Array, at: number, limit: number): number {
  const length = at + 1 < limit ? (bytes[at + 1] ?? 128) : 128;
  return length < 128 ? at + 2 + length : limit + 1;
}
