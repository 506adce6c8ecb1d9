import { describeValue } from '../../text/describe-value.js';
import type { ModelGraph } from './read-graph.js';

type Ranges = NonNullable<ReturnType<ModelGraph['externalFiles']['get']>>;

/** Describes a range outside a file of `size` bytes, or two unequal ranges that overlap: no exporter writes them. */
export function findRangeFault(ranges: Ranges, size: number): string | undefined {
  const isWhole = (value: number) => Number.isSafeInteger(value) && value >= 0;
  const odd = ranges.find(({ offset, length = 0 }) => !isWhole(offset) || !isWhole(length));
  if (odd !== undefined) return `the offset or length of ${describeValue(odd.tensor)} is no whole number`;
  const outside = ranges.find(({ offset, length = 0 }) => offset + length > size);
  if (outside !== undefined) {
    return `${describeValue(outside.tensor)} lies beyond the end of the file, which has ${size} bytes`;
  }
  const sorted = ranges
    .map(({ tensor, offset, length = 0 }) => ({ tensor, offset, end: offset + length }))
    .sort((a, b) => a.offset - b.offset || a.end - b.end);
  for (const [index, range] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined || range.offset >= before.end) continue;
    // Tied weights are one range with two names.
    if (range.offset === before.offset && range.end === before.end) continue;
    return `${describeValue(before.tensor)} and ${describeValue(range.tensor)} overlap`;
  }
  return undefined;
}
