import { countLostLines } from '../log/destination.js';
import { createMetrics, type MetricsSnapshot, sumCounts, sumMetrics } from '../monitoring/metrics.js';
import { addLogMetrics } from '../monitoring/process-metrics.js';
import { drainingReason } from './cluster-view.js';
import type { Readiness } from './messages.js';
import type { WorkerSlot } from './worker-slot.js';

/** What a report needs of a slot. */
export type Reporting = Pick<WorkerSlot, 'number' | 'isRunning' | 'hasListened' | 'ask'>;

/**
 * What the supervisor says of all workers. Counts never fall: those of a worker that ended stay in the sum, and one
 * that does not answer in time counts as it last did, since Prometheus takes a fall for a restart of everything.
 */
export class ClusterReport {
  readonly #slots: readonly Reporting[];
  /** What each worker told when it was last asked, by slot. */
  readonly #last = new Map<Reporting, MetricsSnapshot>();
  /** The counts of workers that have ended. */
  #past: MetricsSnapshot = [];
  #restarts = 0;

  constructor(slots: readonly Reporting[]) {
    this.#slots = slots;
  }

  get running(): number {
    return this.#slots.filter(({ isRunning }) => isRunning).length;
  }

  countRestart(): void {
    this.#restarts += 1;
  }

  /** The worker of a slot has ended: what it counted since it was last asked is lost. */
  retire(slot: Reporting): void {
    this.#past = sumCounts([this.#past, this.#last.get(slot) ?? []]);
    this.#last.delete(slot);
  }

  async metrics(): Promise<string> {
    const asked = this.#slots.filter(({ isRunning }) => isRunning);
    const answers = await Promise.all(
      asked.map(async (slot) => {
        const snapshot = await slot.ask('metrics');
        if (snapshot === undefined) return false;
        this.#last.set(slot, snapshot);
        return true;
      }),
    );
    const own = createMetrics({ includesProcess: false });
    const set = (name: string, help: string, value: number) => own.gauge(name, help).series({}).set(value);
    set('workers_running', 'Workers that listen and answer their supervisor', this.running);
    set('workers_wanted', 'Workers that there should be', this.#slots.length);
    set(
      'metrics_workers_answered',
      'Workers that told their metrics in time for this answer; the others count as they last did',
      answers.filter(Boolean).length,
    );
    own
      .counter('worker_restarts_total', 'Workers that ended unasked and were replaced')
      .series({})
      .add(this.#restarts);
    addLogMetrics(own, countLostLines);
    return sumMetrics([this.#past, ...this.#last.values(), await own.snapshot()]);
  }

  /** Has the workers forget what they remember of some versions, and gives how much that was. */
  async forgotten(identities: readonly string[]): Promise<number | undefined> {
    const asked = this.#slots.filter(({ hasListened }) => hasListened);
    const counts = await Promise.all(asked.map((slot) => slot.ask('forgotten', identities)));
    return counts.reduce((sum, it) => (sum === undefined || it === undefined ? undefined : sum + it), 0);
  }

  async readiness(isStopping: boolean): Promise<Readiness> {
    const reasons = await Promise.all(
      this.#slots.map(async (slot) => {
        if (!slot.hasListened) return [`worker ${slot.number} has not listened yet`];
        // One that is being replaced, or is stuck, keeps no traffic away from the others.
        const missing = slot.isRunning ? await slot.ask('readiness') : undefined;
        return (missing ?? []).map((reason) => `worker ${slot.number}: ${reason}`);
      }),
    );
    return {
      reasons: [...(isStopping ? [drainingReason] : []), ...reasons.flat()],
      workers: { running: this.running, wanted: this.#slots.length },
    };
  }
}
