import type { Steps } from '../../time/slices.js';
import { adjustPValues } from '../statistics/benjamini-hochberg.js';
import { type ColumnReport, compareColumn } from './column-report.js';
import type { DriftColumn, Place } from './drift-column.js';
import type { DriftSample } from './drift-sample.js';

export interface JudgedColumn extends ColumnReport {
  readonly place: Place;
  readonly name: string;
  /** By Benjamini and Hochberg over all columns of the report. */
  readonly adjustedPValue: number;
  readonly hasDrift: boolean;
}

export interface DriftReport {
  readonly columns: readonly JudgedColumn[];
  /** Columns that have no value in the reference or in the window. */
  readonly incomparable: readonly Pick<DriftColumn, 'place' | 'name'>[];
}

/** With fewer rows hardly any change is significant. */
export const minRows = 100;

/** Compares a sample with the reference, one column a step: each takes about a millisecond for 10,000 rows. */
export function* compareWithReference(
  columns: readonly DriftColumn[],
  { rows, values }: Pick<DriftSample, 'rows' | 'values'>,
  threshold: number,
): Steps<DriftReport> {
  const reports: { readonly column: DriftColumn; readonly report: ColumnReport }[] = [];
  const incomparable: DriftColumn[] = [];
  for (const [k, column] of columns.entries()) {
    const own = new Float64Array(rows);
    for (let row = 0; row < rows; row += 1) own[row] = values[row * columns.length + k] as number;
    const report = compareColumn(column, own);
    if (report === undefined) incomparable.push(column);
    else reports.push({ column, report });
    yield;
  }
  const adjusted = adjustPValues(reports.map(({ report }) => report.pValue));
  return {
    columns: reports.map(({ column: { place, name }, report }, k) => {
      const adjustedPValue = adjusted[k] as number;
      return { place, name, ...report, adjustedPValue, hasDrift: adjustedPValue < threshold };
    }),
    incomparable: incomparable.map(({ place, name }) => ({ place, name })),
  };
}
