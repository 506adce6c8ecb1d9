import type { PredictionEvent, RowCounts } from '../../prediction-event.js';

/** Sums up the events of rows that one process predicts, for the metrics of another one. */
export class RowCounter {
  readonly #statuses: Record<string, number> = {};
  readonly #runs: RowCounts['runs'][number][] = [];

  get counts(): RowCounts {
    return { statuses: this.#statuses, runs: this.#runs };
  }

  add({ status, timing }: PredictionEvent): void {
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    // The first row of a run stands for the run.
    for (const { batchIndex, queueMs, runMs, batchRows } of timing?.runs ?? (timing ? [timing] : []))
      if (batchIndex === 0) this.#runs.push({ queueMs, runMs, rows: batchRows });
  }
}
