import { countLostLines } from '../log/destination.js';
import { createQualityGauges } from '../monitoring/feedback/feedback-metrics.js';
import type { FeedbackResult } from '../monitoring/feedback/feedback-store.js';
import { mergeCells, type VersionCells } from '../monitoring/feedback/quality-cells.js';
import { sumCounts, sumMetrics } from '../monitoring/metric-sums.js';
import { createMetrics, type MetricsSnapshot } from '../monitoring/metrics.js';
import { addLogMetrics } from '../monitoring/process-metrics.js';
import type { TrafficStep } from '../monitoring/traffic/traffic-steps.js';
import { runInSlices } from '../time/slices.js';
import { drainingReason, noAnswer } from './cluster-view.js';
import type { DriftParts, Readiness } from './messages.js';
import type { WorkerSlot } from './worker-slot.js';

export type Reporting = Pick<WorkerSlot, 'number' | 'isListening' | 'isRunning' | 'hasListened' | 'ask'>;

/**
 * Reports on all workers together. Counters never fall, since Prometheus takes a fall for a restart: the counts of a
 * worker that ended stay in the sum, and a worker that does not answer in time counts with its last snapshot.
 */
export class ClusterReport {
  readonly #slots: readonly Reporting[];
  /** The last snapshot of each running worker. */
  readonly #last = new Map<Reporting, MetricsSnapshot>();
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

  /** Call when the worker of a slot has ended. Its counts since its last snapshot are lost. */
  retire(slot: Reporting): void {
    this.#past = sumCounts([this.#past, this.#last.get(slot) ?? []]);
    this.#last.delete(slot);
  }

  async metrics(): Promise<MetricsSnapshot> {
    const quality = this.quality([]);
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
    // Workers do not show their own parts: a mean of means is no mean.
    createQualityGauges(own)((await quality) ?? []);
    const set = (name: string, help: string, value: number) => own.gauge(name, help).series({}).set(value);
    set('workers_running', 'Workers that listen and answer their supervisor', this.running);
    set('workers_wanted', 'Workers that the configuration asks for', this.#slots.length);
    set(
      'metrics_workers_answered',
      'Workers that sent their metrics in time for this scrape; the others count with their last values',
      answers.filter(Boolean).length,
    );
    own
      .counter('worker_restarts_total', 'Workers that ended unexpectedly and were replaced')
      .series({})
      .add(this.#restarts);
    addLogMetrics(own, countLostLines);
    return sumMetrics([this.#past, ...this.#last.values(), await own.snapshot()]);
  }

  async forgotten(identities: readonly string[]): Promise<number | undefined> {
    const asked = this.#slots.filter(({ hasListened }) => hasListened);
    const counts = await Promise.all(asked.map((slot) => slot.ask('forgotten', identities)));
    return counts.reduce((sum, it) => (sum === undefined || it === undefined ? undefined : sum + it), 0);
  }

  /** A silent worker is asked too: it may have made the predictions. One that has ended has lost them. */
  async feedback(about: readonly string[]): Promise<readonly FeedbackResult[]> {
    const asked = this.#slots.filter(({ isListening }) => isListening);
    const answers = await Promise.all(asked.map((slot) => slot.ask('feedback', about)));
    const length = Math.max(0, ...answers.map((it) => it?.length ?? 0));
    const isSilent = answers.includes(undefined);
    return Array.from({ length }, (_, k) => {
      const known = answers.map((it) => it?.[k]).find((it) => it !== undefined && it.result !== 'unknown');
      return known ?? (isSilent ? noAnswer : { result: 'unknown' });
    });
  }

  async quality(about: readonly string[]): Promise<readonly VersionCells[] | undefined> {
    const asked = this.#slots.filter(({ isListening }) => isListening);
    const parts = await Promise.all(asked.map((slot) => slot.ask('quality', about)));
    const known = parts.filter((it) => it !== undefined);
    return known.length < parts.length ? undefined : runInSlices(mergeCells(known));
  }

  async traffic(): Promise<readonly TrafficStep[]> {
    const asked = this.#slots.filter(({ isRunning }) => isRunning);
    return (await Promise.all(asked.map((slot) => slot.ask('traffic')))).flatMap((it) => it ?? []);
  }

  /** A silent worker has rows, too: it is not waited for, and counts as missing. One that has ended has lost them. */
  async drift([question = '', ...without]: readonly string[]): Promise<DriftParts> {
    const listening = this.#slots.filter(({ isListening }) => isListening);
    const answers = await Promise.all(
      listening.map(async (slot) =>
        slot.isRunning && !without.includes(String(slot.number)) ? slot.ask('drift', [question]) : undefined,
      ),
    );
    return {
      parts: answers.filter((it) => it !== undefined),
      missing: listening.filter((_slot, k) => answers[k] === undefined).map(({ number }) => number),
    };
  }

  async readiness(isStopping: boolean): Promise<Readiness> {
    const reasons = await Promise.all(
      this.#slots.map(async (slot) => {
        if (!slot.hasListened) return [`worker ${slot.number} has not listened yet`];
        // A worker that is stuck or being replaced does not make the whole server unready.
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
