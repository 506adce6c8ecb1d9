import { describe, expect, test } from 'vitest';
import { BatchLimits } from '../../src/jobs/batch-results.js';

const open = (limits: BatchLimits, limitMs = 60_000, closed = new AbortController()) =>
  limits.open(performance.now() + limitMs, closed.signal);
const large = 'x'.repeat(1_048_577);

describe('BatchLimits', () => {
  test('has places for 64 batches, and refuses the next one until a batch ends', () => {
    const limits = new BatchLimits();
    const batches = Array.from({ length: 64 }, () => open(limits));
    expect(() => open(limits)).toThrow(
      expect.objectContaining({ code: 'overloaded', headers: { 'retry-after': '1' } }),
    );
    batches[0]?.release();
    batches[0]?.release();
    open(limits);
    expect(() => open(limits)).toThrow(expect.objectContaining({ code: 'overloaded' }));
  });

  test('lets two batches be large; the next one goes on when one of them ends', async () => {
    const limits = new BatchLimits();
    const [first, second, third] = [open(limits), open(limits), open(limits)];
    await first.add(large);
    await second.add(large);
    let isIn = false;
    const waiting = third.add(large).then(() => {
      isIn = true;
    });
    await new Promise(setImmediate);
    expect(isIn).toBe(false);
    first.release();
    await waiting;
    expect(third.bytes).toBe(large.length);
  });

  test('a batch whose limit passes, or whose client leaves, stops waiting and keeps nobody from the place', async () => {
    const limits = new BatchLimits();
    const [first, second] = [open(limits), open(limits)];
    await first.add(large);
    await second.add(large);
    await expect(open(limits, 10).add(large)).rejects.toMatchObject({ code: 'overloaded' });
    const closed = new AbortController();
    const left = open(limits, 60_000, closed).add(large);
    closed.abort();
    await expect(left).rejects.toMatchObject({ code: 'client_closed' });
    const next = open(limits).add(large);
    second.release();
    await next;
  });

  test('refuses more than 128 MiB of one batch', async () => {
    const results = open(new BatchLimits());
    const piece = 'x'.repeat(67_108_864);
    await results.add(piece);
    await results.add(piece);
    await expect(results.add('x')).rejects.toMatchObject({ code: 'output_too_large' });
  });
});
