import type { Row } from './encode.js';

const kindOf = { string: 's', boolean: 'b', undefined: 'u' } as const;

/**
 * Makes a text of each checked row. Two texts are equal if and only if every feature has the same value in both rows:
 * the order of features and the notation of a number (`1`, `1.0`, `1e0`) make no difference. A number is written as its
 * eight bytes in memory: its digits would take more time than the run of a small model.
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
      // Most rows hold only numbers: the kinds are written from the first other value on.
      if (kinds === '') kinds = plain.slice(0, k);
      kinds += value === null ? 'n' : kindOf[typeof value as keyof typeof kindOf];
      numbers[k] = value === true ? 1 : 0;
      if (typeof value === 'string') texts += `${value.length}:${value}`;
    }
    const text = bytes.toString('latin1');
    return kinds === '' ? text : `${text}${kinds}${texts}`;
  };
}
