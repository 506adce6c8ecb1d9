import type { Row } from './encode.js';

const kindOf = { string: 's', boolean: 'b', undefined: 'u' } as const;

/**
 * Makes a text of each checked row that two rows share if and only if every feature has the same value in both: the
 * order of the features and the ways to write a number (`1`, `1.0`, `1e0`) make no difference. The numbers stand in it
 * as they lie in memory, eight characters each: written as digits they would cost more than the run of a small model.
 */
export function createRowKey(features: readonly string[]): (row: Row) => string {
  const count = features.length;
  const numbers = new Float64Array(count);
  const bytes = Buffer.from(numbers.buffer);
  const plain = 'd'.repeat(count);
  return (row) => {
    let kinds = '';
    let texts = '';
    for (let k = 0; k < count; k += 1) {
      const value = row[features[k] as string];
      if (typeof value === 'number') {
        numbers[k] = value;
        if (kinds !== '') kinds += 'd';
        continue;
      }
      // Most rows are numbers alone: the kinds are written out from the first that is something else.
      if (kinds === '') kinds = plain.slice(0, k);
      kinds += value === null ? 'n' : kindOf[typeof value as keyof typeof kindOf];
      numbers[k] = value === true ? 1 : 0;
      if (typeof value === 'string') texts += `${value.length}:${value}`;
    }
    const text = bytes.toString('latin1');
    return kinds === '' ? text : `${text}${kinds}${texts}`;
  };
}
