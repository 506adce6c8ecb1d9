import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { holdPacked, pack, unpack } from '../../../src/jobs/queue/packed.js';
import { DamagedJobError } from '../../../src/jobs/queue/refusals.js';

const lines = (count: number) => Buffer.from(' {"x":1}\n'.repeat(count));

describe('packed bytes', () => {
  test.each([
    ['none', Buffer.alloc(0)],
    ['few', lines(3)],
    ['many', lines(100_000)],
    ['bytes that cannot be compressed', randomBytes(100_000)],
  ])('have %s as they were', async (_name, bytes) => {
    expect(await unpack(await pack(bytes))).toEqual(bytes);
  });

  test('take a part of the room of rows', async () => {
    expect((await pack(lines(10_000))).length).toBeLessThan(lines(10_000).length / 5);
  });

  test.each([
    ['that are empty', async () => Buffer.alloc(0)],
    ['with another mark', async () => Buffer.from('x{"x":1}\n')],
    ['that are cut', async () => (await pack(lines(10_000))).subarray(0, 200)],
    ['that were changed', async () => Buffer.from(await pack(lines(10_000))).fill(7, 20, 60)],
  ])('%s are refused', async (_name, damaged) => {
    await expect(unpack(await damaged())).rejects.toThrow(DamagedJobError);
  });
});

describe('packed rows', () => {
  test('stay packed until they are wanted, and have the size of the rows', async () => {
    const packed = await pack(lines(10_000));
    const rows = await holdPacked(packed);
    expect([rows.bytes, rows.packed]).toEqual([90_000, packed]);
    expect(await rows.load()).toEqual(lines(10_000));
  });

  test('are unpacked at once if they are few, and counted', async () => {
    const rows = await holdPacked(await pack(lines(1_000)));
    expect([rows.bytes, rows.count, rows.packed]).toEqual([9_000, 1_000, undefined]);
    expect(await rows.load()).toEqual(lines(1_000));
  });

  test('that are damaged are refused when they are wanted, whatever they say of their size', async () => {
    const packed = Buffer.from(await pack(lines(10_000))).fill(7, 20, 60);
    await expect((await holdPacked(packed)).load()).rejects.toThrow(DamagedJobError);
    packed.writeUInt32LE(1, packed.length - 4);
    await expect(holdPacked(packed)).rejects.toThrow(DamagedJobError);
  });
});
