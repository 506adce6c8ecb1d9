import { expect, test } from 'vitest';
import { createProgressReport, formatSeconds } from '../../../src/cli/batch/progress-report.js';

function createReport(isTTY: boolean, columns?: number) {
  let now = 0;
  const written: string[] = [];
  const output = { isTTY, columns, write: (text: string) => written.push(text) };
  const report = createProgressReport(output, 1_000, () => now);
  return {
    written,
    report,
    update(seconds: number, rows: number, share: number | undefined) {
      now = seconds * 1_000;
      report.update(rows, share);
    },
  };
}

test('a terminal shows a bar, with the speed of this run and the time that is left', () => {
  const { written, report, update } = createReport(true, 100);
  update(0, 1_000, 0.1);
  expect(written).toEqual([]);
  update(2, 21_000, 0.5);
  update(2.1, 22_000, 0.52);
  expect(written).toEqual([
    `\r\u001b[K[${'#'.repeat(15)}${'-'.repeat(15)}] 50 %, 21,000 rows, 10,000 rows/s, 2.5 s left`,
  ]);
  report.clear();
  expect(written[1]).toBe('\r\u001b[K');
});

test('a narrow terminal shows no bar, and an input without size no share', () => {
  const narrow = createReport(true, 50);
  narrow.update(0, 1_000, 0);
  narrow.update(1, 2_000, 0.01);
  expect(narrow.written[0]).toBe('\r\u001b[K1 %, 2,000 rows, 1,000 rows/s, 1 min 39 s left');
  const unknown = createReport(true, 100);
  unknown.update(1, 2_000, undefined);
  expect(unknown.written[0]).toBe('\r\u001b[K2,000 rows, 1,000 rows/s');
});

test('elsewhere there is a line every 5 s, and nothing to clear', () => {
  const { written, report, update } = createReport(false);
  for (let second = 0; second <= 11; second += 1) update(second, 1_000 + second * 100, second / 20);
  report.clear();
  expect(written).toEqual([
    '25 %, 1,500 rows, 100 rows/s, 15 s left\n',
    '50 %, 2,000 rows, 100 rows/s, 10 s left\n',
  ]);
});

test.each([
  [0.04, '0.0 s'],
  [4.24, '4.2 s'],
  [59.4, '59 s'],
  [61, '1 min 1 s'],
  [3_725, '1 h 2 min'],
])('%s seconds are written as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
