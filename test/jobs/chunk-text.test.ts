import { describe, expect, test } from 'vitest';
import { BufferPool } from '../../src/jobs/buffer-pool.js';
import { ChunkText } from '../../src/jobs/chunk-text.js';

describe('the text of a chunk', () => {
  test('is what was added, in UTF-8, however long', () => {
    const parts = ['', 'a', 'ü€😀'.repeat(30_000), '\ud800', 'x'.repeat(3_000_000), 'end'];
    for (const text of [new ChunkText(), new ChunkText(new BufferPool())]) {
      for (const part of parts) text.add(part);
      expect(text.bytes.equals(Buffer.concat(parts.map((it) => Buffer.from(it))))).toBe(true);
    }
  });

  test('begins anew in the memory of the one before, and leaves it no bytes', () => {
    const pool = new BufferPool();
    const first = new ChunkText(pool);
    first.add('first text');
    const memory = first.bytes.buffer;
    first.release();
    const [second, third] = [new ChunkText(pool), new ChunkText(pool)];
    second.add('second');
    third.add('third');
    expect([second.bytes.toString(), third.bytes.toString()]).toEqual(['second', 'third']);
    expect([second.bytes.buffer === memory, third.bytes.buffer === memory]).toEqual([true, false]);
  });
});

describe('the pool of buffers', () => {
  test('gives no buffer to two, none that is too small, and keeps no large one', () => {
    const pool = new BufferPool();
    const [one, two] = [pool.take(10), pool.take(10)];
    // Compared here, since `toBe` would compare other buffers byte for byte.
    expect(one.buffer === two.buffer).toBe(false);
    pool.give(one);
    expect(pool.take(3_000_000).length).toBeGreaterThanOrEqual(3_000_000);
    expect(pool.take(10) === one).toBe(true);
    const large = pool.take(20_000_000);
    pool.give(large);
    expect(pool.take(20_000_000) === large).toBe(false);
  });
});
