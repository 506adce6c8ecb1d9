import { describe, expect, test } from 'vitest';
import { LineQueue } from '../../src/log/line-queue.js';

const kib = 1_024;
const createQueue = (maxBytes: number) => new LineQueue(maxBytes, (lost) => `lost ${lost}\n`);

/** Reads all waiting lines as one text. */
function drain(queue: LineQueue, maxBytes = 4_096): string {
  let text = '';
  for (let bytes = queue.next(maxBytes); bytes !== undefined; bytes = queue.next(maxBytes)) {
    text += bytes.toString();
    queue.advance(bytes.length);
  }
  return text;
}

describe('the queue of lines', () => {
  test('returns whole lines in order, in pieces up to the given length', () => {
    const queue = createQueue(256 * kib);
    const lines = Array.from({ length: 3_000 }, (_unused, k) => `${k} ${'ä'.repeat(k % 40)}\n`);
    for (const line of lines) queue.push(line);
    const pieces: string[] = [];
    for (let bytes = queue.next(500); bytes !== undefined; bytes = queue.next(500)) {
      expect(bytes.length).toBeLessThanOrEqual(500);
      pieces.push(bytes.toString());
      queue.advance(bytes.length);
    }
    expect(pieces.every((piece) => piece.endsWith('\n'))).toBe(true);
    expect(pieces.join('')).toBe(lines.join(''));
    expect(queue.bytes).toBe(64 * kib);
  });

  test('returns a longer line alone, and continues after the bytes of it that were written', () => {
    const queue = createQueue(1_024 * kib);
    const long = `${'x'.repeat(100_000)}\n`;
    for (const line of ['a\n', long, 'b\n']) queue.push(line);
    expect(queue.next(4_096)?.toString()).toBe('a\n');
    queue.advance(2);
    expect(queue.next(4_096)?.length).toBe(long.length);
    queue.advance(99_000);
    expect(drain(queue)).toBe(`${'x'.repeat(1_000)}\nb\n`);
  });

  test('stays within its memory, and reports lost lines in their place', () => {
    const queue = createQueue(128 * kib);
    const line = `${'x'.repeat(999)}\n`;
    for (let k = 0; k < 1_000; k += 1) queue.push(line);
    expect(queue.bytes).toBe(128 * kib);
    expect(queue.lost).toBe(1_000 - 130);
    queue.advance((queue.next(70_000) as Buffer).length);
    queue.push('after\n');
    expect(drain(queue)).toBe(`${line.repeat(65)}lost 870\nafter\n`);
    expect(queue.lost).toBe(870);
  });

  test('loses a line that is larger than its memory, and reports it', () => {
    const queue = createQueue(128 * kib);
    queue.push(`${'x'.repeat(200_000)}\n`);
    queue.push('b\n');
    expect(drain(queue)).toBe('lost 1\nb\n');
  });

  test('drops all waiting lines, and counts each once even if its report is dropped too', () => {
    const queue = createQueue(128 * kib);
    for (let k = 0; k < 10; k += 1) queue.push(`${k}\n`);
    queue.advance(4);
    for (let k = 0; k < 3; k += 1) {
      queue.lose();
      queue.report();
    }
    expect(queue.lost).toBe(8);
    queue.push('next\n');
    expect(drain(queue)).toBe('lost 8\nnext\n');
  });

  test('ends a partly written line before the next one begins', () => {
    const queue = createQueue(128 * kib);
    queue.push('cut here\n');
    queue.advance(3);
    queue.lose();
    queue.lose();
    queue.push('next\n');
    expect(drain(queue)).toBe('\nlost 1\nnext\n');
    expect(queue.lost).toBe(1);
  });
});
