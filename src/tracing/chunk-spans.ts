import type { RunChunk } from '../jobs/queue/job-store.js';
import type { Exporter } from './exporter.js';
import type { Sampler } from './sampler.js';
import { createSpanId, createTraceId, readTraceParent } from './trace-context.js';

/**
 * Records each run of a chunk as a trace of its own, with a link to the request that submitted the job: a job may end
 * hours after its request. A chunk of a recorded request is recorded too, and others by the sampler.
 */
export function traceChunks(run: RunChunk, exporter: Pick<Exporter, 'add'>, sampler: Sampler): RunChunk {
  return async (work) => {
    const { job, firstRow } = work;
    const link = readTraceParent(job.trace);
    const traceId = createTraceId();
    if (!sampler(traceId, link?.isSampled)) return run(work);
    const startedAt = performance.now();
    const record = (result: Readonly<Record<string, number>>, isError: boolean): void =>
      exporter.add({
        ...{ traceId, spanId: createSpanId(), name: 'job chunk', kind: 'consumer', link, isError },
        ...{ startedAt, endedAt: performance.now() },
        attributes: {
          'sardonyx.job_id': job.id,
          'sardonyx.model': job.model,
          'sardonyx.model_version': job.version,
          'sardonyx.first_row': firstRow,
          ...result,
        },
      });
    try {
      const results = await run(work);
      const { completed, failed } = results;
      record({ 'sardonyx.completed_rows': completed, 'sardonyx.failed_rows': failed }, false);
      return results;
    } catch (error) {
      record({}, true);
      throw error;
    }
  };
}
