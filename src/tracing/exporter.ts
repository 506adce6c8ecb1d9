import { setTimeout as pause } from 'node:timers/promises';
import type { Collector } from './collector.js';
import { toOtlpJson } from './otlp-json.js';
import type { Span } from './span.js';

export interface ExporterEvents {
  onCount(result: 'sent' | 'failed' | 'dropped', spans: number): void;
  onProblem(problem: string): void;
}

export interface Exporter {
  /** Takes an ended span. Drops it if the queue is full: it never waits. */
  add(span: Span): void;
  /** Sends what is left, for at most this time. */
  close(timeoutMs: number): Promise<void>;
}

export interface ExporterLimits {
  readonly queueSpans: number;
  readonly batchSpans: number;
  readonly delayMs: number;
  /** Attempts to send one batch, and the pause after the first one, which doubles. */
  readonly attempts: number;
  readonly pauseMs: number;
}

/**
 * The batch is the default of the specification: its text takes this thread 0.8 ms. The queue is four times the default,
 * since a prediction has five spans.
 */
export const usualLimits: ExporterLimits = {
  queueSpans: 8_192,
  batchSpans: 512,
  delayMs: 1_000,
  attempts: 4,
  pauseMs: 500,
};

const maxPauseMs = 10_000;

/** Sends spans in batches, one batch at a time. A collector that is away costs only counted losses. */
export function createExporter(
  collector: Collector,
  resource: Span['attributes'],
  { onCount, onProblem }: ExporterEvents,
  limits: ExporterLimits = usualLimits,
): Exporter {
  let queue: Span[] = [];
  let sending: Promise<void> | undefined;
  const closing = new AbortController();
  const timer = setInterval(() => start(), limits.delayMs).unref();

  const start = (): void => {
    if (sending !== undefined || queue.length === 0) return;
    sending = sendAll().finally(() => {
      sending = undefined;
    });
  };

  async function sendAll(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, limits.batchSpans);
      queue = queue.slice(limits.batchSpans);
      await sendBatch(batch);
    }
  }

  async function sendBatch(batch: readonly Span[]): Promise<void> {
    // The clock of the machine may have been set since the start.
    const body = toOtlpJson(batch, resource, Date.now() - performance.now());
    for (let attempt = 1; ; attempt += 1) {
      const result = await collector.send(body);
      if ('rejected' in result) {
        const rejected = Math.min(result.rejected, batch.length);
        onCount('sent', batch.length - rejected);
        if (rejected === 0) return;
        onCount('failed', rejected);
        return onProblem(`it rejected ${rejected} spans`);
      }
      const isLast = !result.isPassing || attempt >= limits.attempts || closing.signal.aborted;
      if (isLast) {
        onCount('failed', batch.length);
        return onProblem(result.problem);
      }
      const waitMs = Math.min(result.retryAfterMs ?? limits.pauseMs * 2 ** (attempt - 1), maxPauseMs);
      await pause(waitMs, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
    }
  }

  return {
    add(span) {
      if (queue.length >= limits.queueSpans) return onCount('dropped', 1);
      queue.push(span);
      if (queue.length >= limits.batchSpans) start();
    },
    async close(timeoutMs) {
      clearInterval(timer);
      // A batch that waits for its next attempt is tried once more at once.
      closing.abort();
      const end = pause(timeoutMs, undefined, { ref: false });
      await Promise.race([end, (sending ?? Promise.resolve()).then(start).then(() => sending)]);
      if (queue.length > 0) onCount('dropped', queue.length);
      queue = [];
    },
  };
}
