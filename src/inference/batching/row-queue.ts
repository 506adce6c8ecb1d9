import { ServiceError } from '../../errors.js';
import { deadlineExceeded, type PendingRow, rejectRow } from './pending-row.js';
import type { RunTimes } from './run-times.js';

export class RowQueue<Row> {
  #entries: PendingRow<Row>[] = [];
  #rows = 0;
  #weight = 0;

  get rows(): number {
    return this.#rows;
  }

  get weight(): number {
    return this.#weight;
  }

  get first(): PendingRow<Row> | undefined {
    return this.#entries[0];
  }

  push(entry: PendingRow<Row>): void {
    this.#entries.push(entry);
    this.#rows += entry.rows;
    this.#weight += entry.weight;
  }

  remove(entry: PendingRow<Row>): boolean {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return false;
    this.#entries.splice(at, 1);
    this.#rows -= entry.rows;
    this.#weight -= entry.weight;
    return true;
  }

  /**
   * Takes the entries of the next run: the first one, and those behind it that may share its run, in order of arrival.
   * Rejects entries whose deadline has passed or whose client has disconnected. A run has at most `maxBatchRows` rows,
   * and no more than are expected to meet the earliest of their deadlines.
   */
  take(times: RunTimes, maxBatchRows: number): PendingRow<Row>[] {
    const now = performance.now();
    const soonestEndMs = now + times.fastestMs;
    const singleEndMs = now + times.expectMs(1);
    const fullEndMs = now + times.expectMs(maxBatchRows);
    let earliestDeadline = Number.POSITIVE_INFINITY;
    const batch: PendingRow<Row>[] = [];
    const skipped: PendingRow<Row>[] = [];
    const count = this.#entries.length;
    let rows = 0;
    let taken = 0;
    for (; taken < count && rows < maxBatchRows; taken += 1) {
      const entry = this.#entries[taken] as PendingRow<Row>;
      if (entry.connection?.destroyed) {
        rejectRow(entry, new ServiceError('client_closed'));
      } else if (entry.deadline < (taken + 1 < count ? singleEndMs : soonestEndMs)) {
        // The last row of the queue is run even if it will probably be late: no row waits behind it.
        rejectRow(entry, deadlineExceeded());
      } else if (batch.length > 0 && !canShare(batch[0] as PendingRow<Row>, entry)) {
        skipped.push(entry);
        continue;
      } else {
        if (batch.length > 0 && rows + entry.weight > maxBatchRows) break;
        if (entry.deadline >= singleEndMs) earliestDeadline = Math.min(earliestDeadline, entry.deadline);
        if (
          earliestDeadline < fullEndMs &&
          batch.length > 0 &&
          now + times.expectMs(rows + entry.weight) > earliestDeadline
        )
          break;
        batch.push(entry);
        rows += entry.weight;
      }
      this.#rows -= entry.rows;
      this.#weight -= entry.weight;
    }
    const rest = taken === count ? [] : this.#entries.slice(taken);
    this.#entries = skipped.length === 0 ? rest : skipped.concat(rest);
    return batch;
  }
}

function canShare(a: PendingRow<unknown>, b: PendingRow<unknown>): boolean {
  return a.group === b.group && a.kills === 0 && b.kills === 0;
}
