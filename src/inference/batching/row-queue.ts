import { ServiceError } from '../../errors.js';
import { deadlineExceeded, type PendingRow, rejectRow } from './pending-row.js';
import type { RunTimes } from './run-times.js';

/** The entries that wait for a run, in order of arrival. */
export class RowQueue<Row> {
  #waiters: PendingRow<Row>[] = [];
  #rows = 0;
  #weight = 0;

  get rows(): number {
    return this.#rows;
  }

  /** What all entries together cost, in rows as they were measured. */
  get weight(): number {
    return this.#weight;
  }

  get first(): PendingRow<Row> | undefined {
    return this.#waiters[0];
  }

  push(waiter: PendingRow<Row>): void {
    this.#waiters.push(waiter);
    this.#rows += waiter.rows;
    this.#weight += waiter.weight;
  }

  remove(waiter: PendingRow<Row>): boolean {
    const at = this.#waiters.indexOf(waiter);
    if (at < 0) return false;
    this.#waiters.splice(at, 1);
    this.#rows -= waiter.rows;
    this.#weight -= waiter.weight;
    return true;
  }

  /**
   * Takes the entries of the next run: the first, and those behind it that may share its run, in order of arrival.
   * Entries whose time is over and those whose caller has left are failed on the way. A run has at most `maxBatchRows`
   * rows, and no more than are expected to be answered before the first of their deadlines.
   */
  take(times: RunTimes, maxBatchRows: number): PendingRow<Row>[] {
    const now = performance.now();
    const soonest = now + times.fastestMs;
    const alone = now + times.expectMs(1);
    const full = now + times.expectMs(maxBatchRows);
    let earliest = Number.POSITIVE_INFINITY;
    const batch: PendingRow<Row>[] = [];
    const passedOver: PendingRow<Row>[] = [];
    const count = this.#waiters.length;
    let rows = 0;
    let taken = 0;
    for (; taken < count && rows < maxBatchRows; taken += 1) {
      const waiter = this.#waiters[taken] as PendingRow<Row>;
      if (waiter.connection?.destroyed) {
        rejectRow(waiter, new ServiceError('client_closed'));
      } else if (waiter.deadline < (taken + 1 < count ? alone : soonest)) {
        // One that is expected late is run for its luck, unless that is at the cost of those behind it.
        rejectRow(waiter, deadlineExceeded());
      } else if (batch.length > 0 && !canShare(batch[0] as PendingRow<Row>, waiter)) {
        passedOver.push(waiter);
        continue;
      } else {
        if (batch.length > 0 && rows + waiter.weight > maxBatchRows) break;
        if (waiter.deadline >= alone) earliest = Math.min(earliest, waiter.deadline);
        if (earliest < full && batch.length > 0 && now + times.expectMs(rows + waiter.weight) > earliest)
          break;
        batch.push(waiter);
        rows += waiter.weight;
      }
      this.#rows -= waiter.rows;
      this.#weight -= waiter.weight;
    }
    const rest = taken === count ? [] : this.#waiters.slice(taken);
    this.#waiters = passedOver.length === 0 ? rest : passedOver.concat(rest);
    return batch;
  }
}

function canShare(a: PendingRow<unknown>, b: PendingRow<unknown>): boolean {
  return a.group === b.group && a.kills === 0 && b.kills === 0;
}
