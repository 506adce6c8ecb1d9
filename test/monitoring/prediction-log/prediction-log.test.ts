import { expect, test, vi } from 'vitest';
import { PredictionLog } from '../../../src/monitoring/prediction-log/prediction-log.js';
import type { LogSink } from '../../../src/monitoring/prediction-log/sink.js';

function openLog(write: LogSink['write'], maxWriteBytes = 65_536) {
  const counts = { written: 0, dropped: 0, failures: 0 };
  const log = new PredictionLog(
    { maxWriteBytes, write, close: async () => undefined },
    {
      onWritten: (lines) => (counts.written += lines),
      onDropped: (lines) => (counts.dropped += lines),
      onFailure: () => (counts.failures += 1),
    },
  );
  return { log, counts };
}

test('lines of one moment are one write, in order', async () => {
  const writes: string[] = [];
  const { log, counts } = openLog(async (bytes) => writes.push(bytes.toString()) && bytes.length);
  for (let k = 0; k < 100; k += 1) log.write(`${k}\n`);
  await vi.waitUntil(() => counts.written === 100);
  expect(writes).toEqual([Array.from({ length: 100 }, (_unused, k) => `${k}\n`).join('')]);
  log.write('last\n');
  await log.close();
  expect(writes.at(-1)).toBe('last\n');
});

test('a line that comes while a write is in progress is written without another line', async () => {
  let text = '';
  const { log } = openLog(async (bytes) => {
    const isFirst = text === '';
    text += bytes.toString();
    if (isFirst) log.write('second\n');
    return bytes.length;
  });
  log.write('first\n');
  await vi.waitUntil(() => text === 'first\nsecond\n');
});

test('a write in parts loses and repeats nothing', async () => {
  let text = '';
  const { log, counts } = openLog(async (bytes) => {
    const part = bytes.subarray(0, 7);
    text += part.toString();
    return part.length;
  });
  const lines = Array.from({ length: 200 }, (_unused, k) => `{"line":${k}}\n`);
  for (const line of lines) log.write(line);
  await log.close();
  expect(text).toBe(lines.join(''));
  expect(counts).toEqual({ written: 200, dropped: 0, failures: 0 });
});

test('lines wait while writes fail, those beyond 8 MiB are dropped, and each line is counted once', async () => {
  let isBroken = true;
  let bytesWritten = 0;
  const { log, counts } = openLog(async (bytes) => {
    if (isBroken) throw new Error('no space');
    bytesWritten += bytes.length;
    return bytes.length;
  });
  const line = `${'x'.repeat(999)}\n`;
  for (let k = 0; k < 20_000; k += 1) log.write(line);
  await vi.waitUntil(() => counts.failures > 0);
  expect(counts.dropped).toBeGreaterThan(11_000);
  isBroken = false;
  await vi.waitUntil(() => counts.written + counts.dropped === 20_000, { timeout: 5_000 });
  expect(bytesWritten).toBe(counts.written * 1_000);
  await log.close();
});

test('a write that never ends neither keeps the close waiting nor lets memory grow', async () => {
  const { log, counts } = openLog(() => new Promise<number>(() => undefined));
  const line = `${'x'.repeat(9_999)}\n`;
  log.write(line);
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let k = 1; k < 2_000; k += 1) log.write(line);
  expect(counts.dropped).toBeGreaterThan(1_000);
  const started = performance.now();
  await log.close();
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(counts).toEqual({ written: 0, dropped: 2_000, failures: 1 });
});

test('it is behind while many lines wait for a sink that takes lines, and not for one that takes none', async () => {
  let isBroken = false;
  const { log } = openLog(async (bytes) => {
    if (isBroken) throw new Error('no space');
    await new Promise((resolve) => setTimeout(resolve, 20));
    return bytes.length;
  });
  const line = `${'x'.repeat(1_023)}\n`;
  expect(log.isBehind).toBe(false);
  for (let k = 0; k < 5_000; k += 1) log.write(line);
  await vi.waitUntil(() => log.isBehind, { interval: 5 });
  await vi.waitUntil(() => !log.isBehind);
  isBroken = true;
  for (let k = 0; k < 5_000; k += 1) log.write(line);
  expect(log.isBehind).toBe(true);
  await vi.waitUntil(() => !log.isBehind, { timeout: 3_000 });
  isBroken = false;
  await log.close();
});
