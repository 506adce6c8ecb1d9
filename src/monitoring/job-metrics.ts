import { countRows, type Job, type JobSpec } from '../jobs/queue/job.js';
import type { ChunkResults, JobCounts } from '../jobs/queue/job-store.js';
import type { Metrics } from './metrics.js';

const durationBounds = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400];

export interface JobMetrics {
  onCounts(counts: JobCounts): void;
  onChunk(job: JobSpec, results: ChunkResults): void;
  onEnd(job: Job): void;
  /** The process of batch jobs ended by itself. */
  onProcessEnd(): void;
  /** The ways in which the store may lose accepted jobs. */
  onLosses(reasons: readonly string[]): void;
}

/** Metrics of batch jobs. Times are in seconds. */
export function createJobMetrics(metrics: Metrics): JobMetrics {
  const jobs = metrics.gauge('batch_jobs', 'Batch jobs that have not ended, by state');
  const oldest = metrics
    .gauge('batch_oldest_job_age_seconds', 'Time since the oldest batch job that has not ended was accepted')
    .series({});
  const ended = metrics.counter('batch_jobs_total', 'Batch jobs that have ended, by state');
  const rows = metrics.counter('batch_rows_total', 'Rows of batch jobs, by model and result');
  const duration = metrics
    .histogram(
      'batch_job_duration_seconds',
      'Time from the acceptance of a batch job to its end',
      durationBounds,
    )
    .series({});
  // Created at the start: `rate()` needs the value 0 before the first job.
  for (const state of ['completed', 'failed', 'cancelled']) ended.series({ state }).add(0);
  const lossy = metrics.gauge('jobs_store_lossy', 'Whether Redis may lose accepted batch jobs, by reason');
  const ends = metrics
    .counter('jobs_process_ends_total', 'Times that the process of batch jobs ended unexpectedly')
    .series({});
  return {
    onProcessEnd: () => ends.add(1),
    onLosses(reasons) {
      for (const reason of reasons) lossy.series({ reason }).set(1);
    },
    onCounts({ queued, running, oldestAt }) {
      jobs.series({ state: 'queued' }).set(queued);
      jobs.series({ state: 'running' }).set(running);
      oldest.set(oldestAt === undefined ? 0 : Math.max(0, Date.now() - oldestAt) / 1_000);
    },
    onChunk({ model, version }, { completed, failed }) {
      const about = { model, model_version: version };
      rows.series({ ...about, result: 'completed' }).add(completed);
      rows.series({ ...about, result: 'failed' }).add(failed);
    },
    onEnd(job) {
      ended.series({ state: job.state }).add(1);
      const lost = countRows(job) - job.completedRows - job.failedRows;
      const about = { model: job.model, model_version: job.version };
      if (lost > 0) rows.series({ ...about, result: 'unanswered' }).add(lost);
      duration.observe(((job.endedAt ?? job.acceptedAt) - job.acceptedAt) / 1_000);
    },
  };
}
