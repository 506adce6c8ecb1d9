import { countLostLines } from '../log/destination.js';
import { createMetrics, type MetricsSnapshot, sumCounts, sumMetrics } from '../monitoring/metrics.js';
import { addLogMetrics } from '../monitoring/process-metrics.js';
import { drainingReason } from './cluster-view.js';
import type { Readiness } from './messages.js';
import type { Place } from './worker-slot.js';

/** What a report needs of a place. */
export type Reporting = Pick<Place, 'number' | 'isRunning' | 'hasListened' | 'ask'>;

/**
 * What the supervisor says of all workers. Counts never fall: those of a worker that ended stay in the sum, and one
 * that does not answer in time counts as it last did, since Prometheus takes a fall for a restart of everything.
 */
export class WholeReport {
  readonly #places: readonly Reporting[];
  /** What each worker told when it was last asked, by place. */
  readonly #last = new Map<Reporting, MetricsSnapshot>();
  /** The counts of workers that have ended. */
  #past: MetricsSnapshot = [];
  #restarts = 0;

  constructor(places: readonly Reporting[]) {
    this.#places = places;
  }

  get running(): number {
    return this.#places.filter(({ isRunning }) => isRunning).length;
  }

  countRestart(): void {
    this.#restarts += 1;
  }

  /** The worker of a place has ended: what it counted since it was last asked is lost. */
  retire(place: Reporting): void {
    this.#past = sumCounts([this.#past, this.#last.get(place) ?? []]);
    this.#last.delete(place);
  }

  async metrics(): Promise<string> {
    const asked = this.#places.filter(({ isRunning }) => isRunning);
    const answers = await Promise.all(
      asked.map(async (place) => {
        const snapshot = await place.ask('metrics');
        if (snapshot === undefined) return false;
        this.#last.set(place, snapshot);
        return true;
      }),
    );
    const own = createMetrics({ includesProcess: false });
    const set = (name: string, help: string, value: number) => own.gauge(name, help).series({}).set(value);
    set('workers_running', 'Workers that listen and answer their supervisor', this.running);
    set('workers_wanted', 'Workers that there should be', this.#places.length);
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
    const asked = this.#places.filter(({ hasListened }) => hasListened);
    const counts = await Promise.all(asked.map((place) => place.ask('forgotten', identities)));
    return counts.reduce((sum, it) => (sum === undefined || it === undefined ? undefined : sum + it), 0);
  }

  async readiness(isStopping: boolean): Promise<Readiness> {
    const reasons = await Promise.all(
      this.#places.map(async (place) => {
        if (!place.hasListened) return [`worker ${place.number} has not listened yet`];
        // One that is being replaced, or is stuck, keeps no traffic away from the others.
        const missing = place.isRunning ? await place.ask('readiness') : undefined;
        return (missing ?? []).map((reason) => `worker ${place.number}: ${reason}`);
      }),
    );
    return {
      reasons: [...(isStopping ? [drainingReason] : []), ...reasons.flat()],
      workers: { running: this.running, wanted: this.#places.length },
    };
  }
}
