import { expect, test } from 'vitest';
import { readBase64 } from '../../../src/inference/tensors/json-read-element.js';
import { createRandom } from '../../helpers/onnx/random.js';

/** Padded base64 by RFC 4648, section 4, as a regular expression has it. */
const padded = /^[A-Za-z0-9+/]*={0,2}$/;
const odd = ['=', '-', '_', ' ', '\n', '\0', '.', 'é', 'Ł', '€', '😀'];

test('exactly the texts of padded base64 are read, and to the bytes that they hold', () => {
  const random = createRandom(20_261_128);
  let valid = 0;
  for (let k = 0; k < 20_000; k += 1) {
    let text = '';
    const length = [0, 4, 8, 12, 5, 7][k % 6] as number;
    while (text.length < length) {
      text += random() < 0.93 ? 'AZaz09+/'[Math.floor(random() * 8)] : odd[Math.floor(random() * odd.length)];
    }
    const isValid = text.length % 4 === 0 && padded.test(text);
    const bytes = Buffer.from(text, 'base64');
    const read = () => readBase64(text, bytes.length, 'uint8', '/x');
    if (isValid) expect([...(read() as Uint8Array)], text).toEqual([...bytes]);
    else expect(read, JSON.stringify(text)).toThrow('must be padded base64');
    if (isValid) valid += 1;
  }
  expect(valid).toBeGreaterThan(5_000);
});

test.each([2 ** 31, 2 ** 33, 2 ** 53 - 1])('a shape of %i elements beside a few bytes is refused', (size) => {
  const bytes = process.memoryUsage().arrayBuffers;
  expect(() => readBase64('AAAA', size, 'float64', '/x')).toThrow(
    `must hold ${size} elements of 8 bytes, got 3 bytes`,
  );
  expect(process.memoryUsage().arrayBuffers - bytes).toBeLessThan(1e6);
});
