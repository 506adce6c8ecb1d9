import type { PredictionEvent } from '../prediction-event.js';
import type { Exporter } from './exporter.js';
import type { Span } from './span.js';
import { createSpanId } from './trace-context.js';

/**
 * Records the stages of a prediction as children of its request: check, cache lookup, queue, run, encode. Of a request
 * with several rows, the first row has the spans.
 */
export function recordPrediction(event: PredictionEvent, exporter: Pick<Exporter, 'add'>): void {
  const { trace, since, checkedAt, encodedAt, timing, cache } = event;
  if (!trace?.isSampled || checkedAt === undefined) return;
  const { traceId, spanId: parentId, state } = trace;
  const add = (name: string, startedAt: number, endedAt: number, attributes: Span['attributes']) =>
    exporter.add({
      ...{ traceId, parentId, state, spanId: createSpanId(), name, kind: 'internal' },
      ...{ startedAt, endedAt, attributes },
    });
  const about = { 'sardonyx.model': event.model, 'sardonyx.model_version': event.version };
  const runAt = timing && timing.endedAt - timing.runMs;
  const queuedAt = timing && runAt !== undefined ? runAt - timing.queueMs : undefined;
  add('check', since, checkedAt, about);
  if (cache !== undefined && cache !== 'aside' && cache !== 'bypass') {
    const foundAt = queuedAt ?? encodedAt ?? checkedAt;
    add('cache lookup', checkedAt, Math.max(checkedAt, foundAt), { ...about, 'sardonyx.cache': cache });
  }
  if (timing === undefined || runAt === undefined || queuedAt === undefined) return;
  add('queue', queuedAt, runAt, about);
  add('run', runAt, timing.endedAt, { ...about, 'sardonyx.batch_rows': timing.batchRows });
  if (encodedAt !== undefined) add('encode', timing.endedAt, encodedAt, about);
}
