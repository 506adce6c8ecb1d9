import { describe, expect, test } from 'vitest';
import type { PredictionEvent } from '../src/prediction-event.js';
import { buildTestApp } from './helpers/app.js';
import { shareTestApp } from './helpers/shared-app.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };

describe('the predictor', () => {
  const server = shareTestApp();

  test('publishes an event after an answer, with the ids that the client got', async () => {
    const events: PredictionEvent[] = [];
    server.app.predictions.subscribe((event) => events.push(event));
    const { body } = await server.post('/predict', loan, { 'x-request-id': 'mine' });
    expect(events).toEqual([
      {
        model: 'credit-risk',
        version: body.model_version,
        status: 'ok',
        predictionId: body.prediction_id,
        requestId: 'mine',
        since: expect.any(Number),
        checkedAt: expect.any(Number),
        encodedAt: expect.any(Number),
        latencyMs: expect.any(Number),
        timing: {
          queueMs: expect.any(Number),
          runMs: expect.any(Number),
          endedAt: expect.any(Number),
          batchRows: 1,
          batchIndex: 0,
          ownRows: 1,
        },
        manifest: expect.objectContaining({ name: 'credit-risk' }),
        source: 'online',
        body: loan,
        row: loan,
        answer: expect.objectContaining({
          value: expect.objectContaining({ prediction: body.prediction, probability: body.probability }),
        }),
      },
    ]);
    const { since, checkedAt, encodedAt, latencyMs, timing } = events[0] as PredictionEvent;
    expect(latencyMs).toBeGreaterThanOrEqual(timing?.runMs ?? Number.NaN);
    // The stages follow each other.
    const times = [since, checkedAt, timing?.endedAt, encodedAt].map(Number);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(checkedAt).toBeGreaterThan(since);
    expect(encodedAt).toBeGreaterThan(timing?.endedAt ?? Number.NaN);
  });

  test('publishes an event after a refusal, with its code', async () => {
    const events: PredictionEvent[] = [];
    server.app.predictions.subscribe((event) => events.push(event));
    await server.post('/predict', { ...loan, age: 17 });
    const sent = { ...loan, age: 17 };
    expect(events).toMatchObject([{ model: 'credit-risk', status: 'invalid_input', body: sent }]);
    expect(events[0]?.row).toBeUndefined();
    expect(events[0]?.timing).toBeUndefined();
  });

  test('publishes no event for a request without a version', async () => {
    const events: PredictionEvent[] = [];
    server.app.predictions.subscribe((event) => events.push(event));
    await server.post('/models/nope/predict', loan);
    expect(events).toEqual([]);
  });

  test('publishes an event for each row of a request, and one for a request that is refused', async () => {
    await using server = await buildTestApp();
    const events: PredictionEvent[] = [];
    server.app.predictions.subscribe((event) => events.push(event));
    const path = '/v1/models/credit-risk:predict';
    await server.post(path, { instances: [loan, { ...loan, age: 43 }, { ...loan, age: 44 }] });
    expect(events.map(({ row }) => row?.['age'])).toEqual([42, 43, 44]);
    expect(events.map(({ status, timing }) => [status, timing?.batchRows, timing?.batchIndex])).toEqual([
      ['ok', 3, 0],
      ['ok', 3, 1],
      ['ok', 3, 2],
    ]);
    expect(new Set(events.map(({ predictionId }) => predictionId)).size).toBe(3);
    await server.post(path, { instances: [loan, { ...loan, age: 17 }] });
    expect(events.slice(3)).toMatchObject([{ model: 'credit-risk', status: 'invalid_input' }]);
    // The run is counted once for all of its rows.
    const { text } = await server.get('/metrics');
    expect(text).toMatch(/prediction_run_seconds_count\{[^}]*\} 1\n/);
    expect(text).toMatch(/predictions_total\{[^}]*status="ok"\} 3\n/);
  });

  test('gives each prediction an id of its own', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.post('/predict', loan)));
    expect(new Set(answers.map(({ body }) => body.prediction_id)).size).toBe(20);
  });

  test('answers if a subscriber throws, logs the error, and calls the next subscriber', async () => {
    await using server = await buildTestApp();
    const seen: string[] = [];
    server.app.predictions.subscribe(() => {
      throw new Error('a broken subscriber');
    });
    server.app.predictions.subscribe(({ status }) => seen.push(status));
    expect((await server.post('/predict', loan)).status).toBe(200);
    expect((await server.post('/predict', {})).status).toBe(400);
    expect(seen).toEqual(['ok', 'invalid_input']);
    const lines = server.logs.filter(({ msg }) => msg === 'a subscriber to predictions failed');
    expect(lines).toHaveLength(2);
  });
});
