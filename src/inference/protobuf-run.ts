import { int64At, varintEnd } from './varint.js';

/**
 * Runs: fields that follow each other with the same tag, as unpacked lists do. The lists of a forest are nearly
 * all there is to its model, and loops this small are fast from the first call. Each begins behind a field and
 * gives the place of the first field that it leaves: whatever is not plain is the reader's own to judge.
 */

/** Larger tags take more than the one byte that the loops compare. */
const MAX_TAG = 127;

export function skipRun(bytes: Uint8Array, start: number, limit: number, tag: number): number {
  if (tag > MAX_TAG) return start;
  let at = start;
  while (at < limit && bytes[at] === tag) {
    let end = at + 5;
    if ((tag & 7) === 0) end = varintEnd(bytes, at + 1, limit);
    if ((tag & 7) === 2) end = shortTextEnd(bytes, at, limit);
    if (end > limit) break;
    at = end;
  }
  return at;
}

export function readIntRun(
  bytes: Uint8Array,
  start: number,
  limit: number,
  tag: number,
  values: number[],
): number {
  if (tag > MAX_TAG) return start;
  let at = start;
  while (at < limit && bytes[at] === tag) {
    const end = varintEnd(bytes, at + 1, limit);
    values.push(int64At(bytes, at + 1));
    at = end;
  }
  return at;
}

/** A forest says BRANCH_LEQ or LEAF for each node: a text that is the one before is not decoded again. */
export function readTextRun(
  bytes: Buffer,
  start: number,
  limit: number,
  tag: number,
  values: string[],
): number {
  if (tag > MAX_TAG) return start;
  let at = start;
  let last = start;
  while (at < limit && bytes[at] === tag) {
    const end = shortTextEnd(bytes, at, limit);
    if (end > limit) break;
    const isSame = at !== start && isEqual(bytes, last, at, end - at);
    values.push(isSame ? (values.at(-1) ?? '') : bytes.toString('utf8', at + 2, end));
    last = at;
    at = end;
  }
  return at;
}

/** Of a text whose length fits one byte; beyond the limit for any other. */
function shortTextEnd(bytes: Uint8Array, at: number, limit: number): number {
  const length = at + 1 < limit ? (bytes[at + 1] ?? 128) : 128;
  return length < 128 ? at + 2 + length : limit + 1;
}

function isEqual(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 1; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
