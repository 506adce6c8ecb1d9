import { describe, expect, test, vi } from 'vitest';
import type { SendResult } from '../../src/tracing/collector.js';
import { createExporter, type ExporterLimits } from '../../src/tracing/exporter.js';
import type { Span } from '../../src/tracing/span.js';

const span: Span = {
  ...{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name: 'run', kind: 'internal' },
  ...{ startedAt: 1, endedAt: 2, attributes: {} },
};
const limits: ExporterLimits = { queueSpans: 6, batchSpans: 3, delayMs: 5, attempts: 3, pauseMs: 1 };

function open(answers: readonly (SendResult | Promise<SendResult>)[]) {
  const counts = { sent: 0, failed: 0, dropped: 0 };
  const problems: string[] = [];
  const bodies: string[] = [];
  const exporter = createExporter(
    {
      async send(body) {
        bodies.push(body);
        return (await answers[bodies.length - 1]) ?? { rejected: 0 };
      },
    },
    { 'service.name': 'test' },
    {
      onCount: (result, spans) => {
        counts[result] += spans;
      },
      onProblem: (problem) => problems.push(problem),
    },
    limits,
  );
  return { exporter, counts, problems, bodies };
}
const away: SendResult = { problem: 'away', isPassing: true };

describe('the exporter', () => {
  test('sends a batch again while the collector is away, and counts it once', async () => {
    const { exporter, counts, problems, bodies } = open([away, away]);
    for (let k = 0; k < 3; k += 1) exporter.add(span);
    await vi.waitUntil(() => counts.sent === 3);
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
    expect(problems).toEqual([]);
    await exporter.close(1_000);
  });

  test('gives a batch up after its attempts, and at once if the collector refuses it', async () => {
    const refusal: SendResult = { problem: 'it answered 400', isPassing: false };
    const { exporter, counts, problems, bodies } = open([away, away, away, refusal]);
    for (let k = 0; k < 6; k += 1) exporter.add(span);
    await vi.waitUntil(() => counts.failed === 6);
    expect(bodies).toHaveLength(4);
    expect(problems).toEqual(['away', 'it answered 400']);
    await exporter.close(1_000);
  });

  test('drops and counts spans beyond its queue, and never waits', async () => {
    const { exporter, counts } = open([new Promise<SendResult>(() => undefined)]);
    for (let k = 0; k < 20; k += 1) exporter.add(span);
    // Three are being sent, and six wait.
    expect(counts.dropped).toBe(11);
    const started = performance.now();
    await exporter.close(20);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(counts.dropped).toBe(17);
  });

  test('sends the rest when it is closed', async () => {
    const { exporter, counts } = open([]);
    exporter.add(span);
    await exporter.close(1_000);
    expect(counts).toEqual({ sent: 1, failed: 0, dropped: 0 });
  });

  test('counts the spans that the collector rejected', async () => {
    const { exporter, counts, problems } = open([{ rejected: 2 }]);
    for (let k = 0; k < 3; k += 1) exporter.add(span);
    await exporter.close(1_000);
    expect(counts).toEqual({ sent: 1, failed: 2, dropped: 0 });
    expect(problems).toEqual(['it rejected 2 spans']);
  });
});
