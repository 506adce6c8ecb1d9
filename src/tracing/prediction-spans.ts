import type { PredictionEvent } from '../prediction-event.js';
import type { Trace } from '../prediction-request.js';
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
  const about = { 'sardonyx.model': event.model, 'sardonyx.model_version': event.version };
  const runAt = timing && timing.endedAt - timing.runMs;
  const queuedAt = timing && runAt !== undefined ? runAt - timing.queueMs : undefined;
  addStage(exporter, trace, 'check', since, checkedAt, about);
  if (cache !== undefined && cache !== 'aside' && cache !== 'bypass') {
    const foundAt = queuedAt ?? encodedAt ?? checkedAt;
    addStage(exporter, trace, 'cache lookup', checkedAt, Math.max(checkedAt, foundAt), {
      ...about,
      'sardonyx.cache': cache,
    });
  }
  if (timing === undefined || runAt === undefined || queuedAt === undefined) return;
  addStage(exporter, trace, 'queue', queuedAt, runAt, about);
  addStage(exporter, trace, 'run', runAt, timing.endedAt, {
    ...about,
    'sardonyx.batch_rows': timing.batchRows,
  });
  if (encodedAt !== undefined) addStage(exporter, trace, 'encode', timing.endedAt, encodedAt, about);
}

/** One literal, since spread objects are slow, and each prediction comes here up to five times. */
function addStage(
  exporter: Pick<Exporter, 'add'>,
  trace: Trace,
  name: string,
  startedAt: number,
  endedAt: number,
  attributes: Span['attributes'],
): void {
  exporter.add({
    traceId: trace.traceId,
    spanId: createSpanId(),
    parentId: trace.spanId,
    state: trace.state,
    name,
    kind: 'internal',
    startedAt,
    endedAt,
    attributes,
  });
}
