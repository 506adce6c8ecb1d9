import { nextTurnAlone } from '../../time/slices.js';
import { compareColumn } from './column-report.js';
import type { DriftColumn } from './drift-column.js';
import { type ComparedColumn, type DriftReport, judge, minRows } from './drift-report.js';
import { type DriftExtent, extentOf, type PartCount, shareOfAll } from './drift-sample.js';
import type { DriftSource } from './drift-source.js';

export interface DriftFindings {
  /** Undefined if no row came. */
  readonly extent: DriftExtent | undefined;
  /** Undefined if there are too few rows. */
  readonly report: DriftReport | undefined;
  /** Workers that did not answer: their rows are not in it. */
  readonly missing: number;
}

export interface DriftSubject {
  readonly columns: readonly DriftColumn[];
  readonly source: DriftSource;
  readonly referenceRows: number;
}

export interface DriftLimits {
  /** The most rows that are compared. */
  readonly rows: number;
  readonly threshold: number;
}

/** How long the thread is taken at a time, plus one column: about a millisecond for 10,000 rows. */
const maxSliceMs = 2;
/** The values that all workers send at a time. */
const maxReadBytes = 512 * 1_024;
/** A comparison is used again for so many times as long as it took, so that it takes at most a tenth of a core. */
const restFactor = 10;
/** Unless so many rows more have come. */
const growth = 1.1;

interface Known {
  readonly findings: DriftFindings;
  readonly madeAt: number;
  readonly tookMs: number;
}

/**
 * Compares the rows of versions with their references, one version at a time. Callers that ask at the same time share
 * one comparison, and those that ask soon after have its result: however often drift is asked for, other requests have
 * most of the thread.
 */
export class DriftComparisons {
  readonly #limits: DriftLimits;
  readonly #known = new WeakMap<object, Known>();
  readonly #open = new Map<object, Promise<DriftFindings>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(limits: DriftLimits) {
    this.#limits = limits;
  }

  /** `version` is an object that stands for one load of a version. */
  findingsOf(version: object, subject: DriftSubject): Promise<DriftFindings> {
    const open = this.#open.get(version);
    if (open !== undefined) return open;
    const findings = this.#find(version, subject).finally(() => this.#open.delete(version));
    this.#open.set(version, findings);
    return findings;
  }

  async #find(version: object, subject: DriftSubject): Promise<DriftFindings> {
    const { parts, missing: silent } = await subject.source.count();
    const missing = silent.length;
    const extent = extentOf(parts, this.#limits.rows);
    if (extent === undefined || extent.rows < minRows) return { extent, report: undefined, missing };
    const known = this.#known.get(version);
    if (known !== undefined && isFresh(known, extent, missing)) return known.findings;
    const turn = this.#last.then(() => this.#compare(version, subject, parts, { extent, silent }));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #compare(
    version: object,
    { columns, source, referenceRows }: DriftSubject,
    parts: readonly PartCount[],
    { extent, silent }: { readonly extent: DriftExtent; readonly silent: readonly number[] },
  ): Promise<DriftFindings> {
    const startedAt = performance.now();
    const share = shareOfAll(parts, this.#limits.rows);
    const width = source.isOwn ? 1 : Math.max(1, Math.floor(maxReadBytes / (8 * extent.rows)));
    const compared: ComparedColumn[] = [];
    // A worker that did not answer is not asked again: each column would wait for it.
    let missing = silent;
    let until = 0;
    for (let from = 0; from < columns.length; from += width) {
      const to = Math.min(columns.length, from + width);
      const read = await source.read(from, to, share, missing);
      missing = [...new Set([...missing, ...read.missing])];
      for (const [k, values] of read.columns.entries()) {
        if (performance.now() >= until) {
          await nextTurnAlone();
          until = performance.now() + maxSliceMs;
        }
        const column = columns[from + k] as DriftColumn;
        // Workers may have ended meanwhile.
        const report = values.length < minRows ? undefined : compareColumn(column, values, referenceRows);
        compared.push({ column, report });
      }
    }
    const findings = { extent, report: judge(compared, this.#limits.threshold), missing: missing.length };
    const madeAt = performance.now();
    this.#known.set(version, { findings, madeAt, tookMs: madeAt - startedAt });
    return findings;
  }
}

function isFresh({ findings, madeAt, tookMs }: Known, extent: DriftExtent, missing: number): boolean {
  const { extent: last } = findings;
  if (last === undefined || missing !== findings.missing) return false;
  if (missing === 0 && extent.seen === last.seen && extent.until === last.until) return true;
  const isSimilar = extent.seen >= last.seen && extent.seen < last.seen * growth;
  return isSimilar && performance.now() - madeAt < restFactor * tookMs;
}
