import type { Steps } from '../../time/slices.js';
import { adjustPValues } from '../statistics/benjamini-hochberg.js';
import { type ColumnReport, compareColumn } from './column-report.js';
import type { DriftColumn, Place } from './drift-column.js';
import type { DriftSample } from './drift-sample.js';

export interface JudgedColumn extends ColumnReport {
  readonly place: Place;
  readonly name: string;
  /** By Benjamini and Hochberg over all tests of the report. */
  readonly adjustedPValue: number;
  /** Undefined if no value is missing anywhere. */
  readonly adjustedMissingPValue?: number | undefined;
  /** What has drifted: the values, the share of missing ones, or both. */
  readonly drifted: readonly ('values' | 'missing')[];
}

export interface DriftReport {
  readonly columns: readonly JudgedColumn[];
  /** Columns without any value to compare. */
  readonly incomparable: readonly Pick<DriftColumn, 'place' | 'name'>[];
}

export interface ComparedColumn {
  readonly column: DriftColumn;
  /** Undefined if there is no value to compare. */
  readonly report: ColumnReport | undefined;
}

/** With fewer rows hardly any change is significant. */
export const minRows = 100;

/** Compares a sample with the reference, one column a step: each takes about a millisecond for 10,000 rows. */
export function* compareWithReference(
  columns: readonly DriftColumn[],
  { rows, values }: Pick<DriftSample, 'rows' | 'values'>,
  { referenceRows, threshold }: { readonly referenceRows: number; readonly threshold: number },
): Steps<DriftReport> {
  const reports: ComparedColumn[] = [];
  for (const [k, column] of columns.entries()) {
    const own = new Float64Array(rows);
    for (let row = 0; row < rows; row += 1) own[row] = values[row * columns.length + k] as number;
    reports.push({ column, report: compareColumn(column, own, referenceRows) });
    yield;
  }
  return judge(reports, threshold);
}

/**
 * Adjusts the p-values of all columns, and says which have drifted. A column whose p-value is no number would hide the
 * drift of all others: it is incomparable.
 */
export function judge(compared: readonly ComparedColumn[], threshold: number): DriftReport {
  const reports: { readonly column: DriftColumn; readonly report: ColumnReport }[] = [];
  const incomparable: DriftColumn[] = [];
  for (const { column, report } of compared) {
    if (report === undefined || Number.isNaN(report.pValue)) incomparable.push(column);
    else if (!Number.isNaN(report.missingPValue)) reports.push({ column, report });
    else reports.push({ column, report: { ...report, missingPValue: undefined } });
  }
  const missing = reports.map(({ report }) => report.missingPValue).filter((it) => it !== undefined);
  const adjusted = adjustPValues([...reports.map(({ report }) => report.pValue), ...missing]);
  let nextMissing = reports.length;
  return {
    columns: reports.map(({ column: { place, name }, report }, k) => {
      const adjustedPValue = adjusted[k] as number;
      const ofMissing = report.missingPValue === undefined ? undefined : adjusted[nextMissing++];
      const drifted: ('values' | 'missing')[] = [];
      if (adjustedPValue < threshold) drifted.push(report.test === 'missing_rate' ? 'missing' : 'values');
      if (ofMissing !== undefined && ofMissing < threshold) drifted.push('missing');
      return { place, name, ...report, adjustedPValue, adjustedMissingPValue: ofMissing, drifted };
    }),
    incomparable: incomparable.map(({ place, name }) => ({ place, name })),
  };
}
