import type { Output } from '../terminal/command.js';

const barMs = 200;
const lineMs = 5_000;
const maxBarWidth = 30;

export interface ProgressReport {
  /** `share` of the input that has been read, from 0 to 1; undefined if its size is unknown. */
  update(rows: number, share: number | undefined): void;
  /** Removes the bar. */
  clear(): void;
}

/** A bar on a terminal, a line every 5 s elsewhere. `firstRow` was reached by an earlier run. */
export function createProgressReport(
  stderr: Output,
  firstRow: number,
  now: () => number = () => performance.now(),
): ProgressReport {
  const started = now();
  const isBar = stderr.isTTY === true;
  let last = started;
  let firstShare: number | undefined;
  let hasBar = false;
  return {
    update(rows, share) {
      firstShare ??= share;
      const at = now();
      if (at - last < (isBar ? barMs : lineMs)) return;
      last = at;
      const seconds = (at - started) / 1_000;
      const moved = (share ?? 0) - (firstShare ?? 0);
      const left = share === undefined || moved <= 0 ? undefined : ((1 - share) / moved) * seconds;
      const parts = [
        ...(share === undefined ? [] : [`${Math.floor(share * 100)} %`]),
        `${group(rows)} rows`,
        `${group(Math.round((rows - firstRow) / seconds))} rows/s`,
        ...(left === undefined ? [] : [`${formatSeconds(left)} left`]),
      ];
      const text = parts.join(', ');
      if (!isBar) {
        stderr.write(`${text}\n`);
        return;
      }
      hasBar = true;
      const width = Math.min(maxBarWidth, (stderr.columns ?? 80) - text.length - 4);
      stderr.write(`\r\u001b[K${drawBar(share, width)}${text}`);
    },
    clear() {
      if (hasBar) stderr.write('\r\u001b[K');
      hasBar = false;
    },
  };
}

export const group = (count: number): string => count.toLocaleString('en');

/** `1 h 5 min`, `3 min 20 s`, `4.2 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function drawBar(share: number | undefined, width: number): string {
  if (share === undefined || width < 4) return '';
  const full = Math.round(share * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] `;
}
