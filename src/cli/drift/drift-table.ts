import type { JudgedColumn } from '../../monitoring/drift/drift-report.js';
import { printable } from '../terminal/terminal-text.js';

const heads = ['column', 'drift', 'p adjusted', 'statistic', 'PSI', 'missing', 'shift or unseen'] as const;

/** A table for people: what has drifted comes first. */
export function toTable(columns: readonly JudgedColumn[]): string {
  const rows = [...columns]
    .sort(
      (a, b) =>
        Math.sign(b.drifted.length) - Math.sign(a.drifted.length) || a.adjustedPValue - b.adjustedPValue,
    )
    .map((it) => [
      printable(it.place === 'outputs' ? `(output) ${it.name}` : it.name),
      it.drifted.length === 0 ? 'no' : `yes: ${it.drifted.join(', ')}`,
      toText(it.adjustedPValue),
      toText(it.statistic),
      it.psi.toFixed(3),
      `${toPercent(it.referenceMissing)} → ${toPercent(it.missing)}`,
      it.wasserstein === undefined ? toPercent(it.unseen ?? 0) : toText(it.wasserstein),
    ]);
  const widths = heads.map((head, k) =>
    Math.max(head.length, ...rows.map((row) => (row[k] as string).length)),
  );
  return [heads, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, k) => cell.padEnd(widths[k] as number))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function toText(value: number): string {
  return value === 0 || Math.abs(value) >= 0.001
    ? String(Number(value.toPrecision(4)))
    : value.toExponential(1);
}

function toPercent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
