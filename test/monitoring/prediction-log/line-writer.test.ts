import { describe, expect, test } from 'vitest';
import type { Feature, Manifest } from '../../../src/models/manifest/manifest.js';
import { createLineWriter, isSampled } from '../../../src/monitoring/prediction-log/line-writer.js';
import type { RedactionRules } from '../../../src/monitoring/prediction-log/redaction.js';
import type { PredictionEvent } from '../../../src/prediction-event.js';

const features: readonly Feature[] = [
  { name: 'age', type: 'integer' },
  { name: 'region "x"', type: 'string', default: 'north' },
  { name: 'owner', type: 'boolean', nullable: true },
];
const noRules: RedactionRules = { omit: [], hash: [], mask: [] };
const predictionId = '40000000-0000-4000-8000-000000000000';

function manifestOf(list: readonly Feature[] = features): Manifest {
  return { name: 'credit-risk', version: '1', task: 'classification', features: list, sha256: {} };
}

function eventOf(change: Partial<PredictionEvent> = {}): PredictionEvent {
  return {
    model: 'credit-risk',
    version: '1',
    status: 'ok',
    predictionId,
    requestId: 'request-1',
    since: 0,
    latencyMs: 1.23456,
    manifest: manifestOf(),
    source: 'online',
    body: undefined,
    row: { age: 42, owner: null },
    answer: { value: { prediction: 1 }, fieldsJson: '"prediction":1,"probability":0.75' },
    ...change,
  };
}

function write(change: Partial<PredictionEvent> = {}, rules: Partial<RedactionRules> = {}, sample = 1) {
  const settings = { rules: { ...noRules, ...rules }, sample, logsBatches: false };
  const line = createLineWriter(settings, () => Date.UTC(2026, 10, 28, 22, 15, 24, 7))(eventOf(change));
  if (line === undefined) return undefined;
  expect(line.indexOf('\n')).toBe(line.length - 1);
  return JSON.parse(line);
}

describe('a line of the prediction log', () => {
  test('has what was asked and answered, with defaults', () => {
    expect(write({ cache: 'hit', keyId: 'service-a' })).toEqual({
      time: '2026-11-28T22:15:24.007Z',
      request_id: 'request-1',
      prediction_id: predictionId,
      model: 'credit-risk',
      model_version: '1',
      request: { age: 42, 'region "x"': 'north', owner: null },
      prediction: 1,
      probability: 0.75,
      latency_ms: 1.235,
      cache: 'hit',
      key_id: 'service-a',
      status: 'ok',
      source: 'online',
    });
  });

  test('of a refused body has only scalars of known features, cut at 64 characters', () => {
    const body = {
      age: 'x'.repeat(1_000),
      owner: { nested: 'secret' },
      unknown: 'secret',
      'region "x"': Number.POSITIVE_INFINITY,
    };
    const line = write({ status: 'invalid_input', row: undefined, answer: undefined, body });
    expect(line.request).toEqual({ age: 'x'.repeat(64), 'region "x"': null });
    expect(line.status).toBe('invalid_input');
    expect(line).not.toHaveProperty('prediction');
  });

  test.each([[undefined], [null], [7], ['text'], [[1]], [{ __proto__: { age: 1 } }]])(
    'of the refused body %j has no request',
    (body) => {
      const line = write({ status: 'invalid_input', row: undefined, answer: undefined, body });
      expect(line).not.toHaveProperty('request');
    },
  );

  test('hides an API key that a client sent as the value of a feature', () => {
    const key = `sdx_${'a'.repeat(43)}`;
    const line = write({ status: 'invalid_input', row: undefined, answer: undefined, body: { age: key } });
    expect(JSON.stringify(line)).not.toContain('aaaa');
    const accepted = write({ row: { age: 1, 'region "x"': `50 % ${key}`, owner: null } });
    expect(accepted.request['region "x"']).not.toContain('aaaa');
    const plain = write({ row: { age: 1, 'region "x"': '50 % off', owner: null } });
    expect(plain.request['region "x"']).toBe('50 % off');
    const value = { prediction: key };
    const answered = write({ answer: { value, fieldsJson: `"prediction":"${key}"` } });
    expect(answered.prediction).toBe('sdx_…');
  });

  test('takes no time for a long text that may hold an API key', () => {
    const hostile = '%41'.repeat(1_000_000);
    for (const change of [
      { status: 'invalid_input', row: undefined, answer: undefined, body: { age: hostile } } as const,
      { row: { age: 1, 'region "x"': `sdx_a ${hostile}`, owner: null } },
    ]) {
      const started = performance.now();
      write(change);
      // Decoding it took 1 s.
      expect(performance.now() - started).toBeLessThan(500);
    }
  });

  test('has the id of a trace that is recorded', () => {
    const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', isSampled: true };
    expect(write({ trace: trace as never }).trace_id).toBe(trace.traceId);
    expect(write({ trace: { ...trace, isSampled: false } as never })).not.toHaveProperty('trace_id');
  });

  test('leaves out, hashes and masks features by their names, with or without that of the model', () => {
    const hashKey = 'k'.repeat(16);
    const row = { age: 42, 'region "x"': 'south', owner: true };
    const rules = { omit: ['credit-risk.age'], hash: ['region "x"'], mask: ['owner', 'other.age'], hashKey };
    // By hmac of Python 3: hmac.new(b'k' * 16, b'region "x"\\0"south"', 'sha256').hexdigest().
    const digest = 'dccce70e738aebf46597e9b565cd15848cd26c6057885cb887426e7c8f76e604';
    const line = write({ row }, rules);
    expect(line.request).toEqual({ 'region "x"': `hmac-sha256:${digest}`, owner: '***' });
    expect(line.redacted).toEqual(['age', 'region "x"', 'owner']);
    const refused = write({ status: 'invalid_input', row: undefined, answer: undefined, body: row }, rules);
    expect(refused.request).toEqual(line.request);
  });

  test('leaves out a feature that the manifest calls sensitive, unless a rule hashes or masks it', () => {
    const manifest = manifestOf([{ name: 'age', type: 'integer', sensitive: true }]);
    expect(write({ manifest, row: { age: 42 } })).toMatchObject({ request: {}, redacted: ['age'] });
    expect(write({ manifest, row: { age: 42 } }, { mask: ['age'] }).request).toEqual({ age: '***' });
  });

  test('has the number of characters in place of a request or an answer that is too long', () => {
    const line = write({
      row: { age: 1, 'region "x"': 'x'.repeat(70_000), owner: true },
      answer: {
        value: { prediction: 'a', probability: 0.5 },
        fieldsJson: `"prediction":"a","probability":0.5,"probabilities":{"${'b'.repeat(70_000)}":0.5}`,
      },
    });
    expect(line).toMatchObject({ prediction: 'a', probability: 0.5 });
    expect(line.request_characters).toBeGreaterThan(70_000);
    expect(line.answer_characters).toBeGreaterThan(70_000);
    expect(JSON.stringify(line).length).toBeLessThan(500);
  });

  test('of tensors has their shapes and none of their elements', () => {
    const manifest: Manifest = { name: 'digits', version: '1', task: 'tensor', sha256: {} };
    const line = write({
      manifest,
      row: undefined,
      body: { inputs: { image: [[0.123, 7, 9]], flat: { shape: [2, 2], data: [1, 2, 3, 4] }, one: 5 } },
      answer: {
        get value(): never {
          throw new Error('the elements are read');
        },
        fieldsJson: '"outputs":{}',
        shapes: { scores: [1, 2] },
        timing: { queueMs: 0, runMs: 0, batchRows: 1, batchIndex: 0 } as never,
      },
    });
    expect(line.request).toEqual({
      inputs: { image: { shape: [1, 3] }, flat: { shape: [2, 2] }, one: { shape: [] } },
    });
    expect(line.outputs).toEqual({ scores: { shape: [1, 2] } });
    const refused = write({
      manifest,
      row: undefined,
      answer: undefined,
      status: 'invalid_input',
      body: { inputs: { secret: 1 } },
    });
    expect(JSON.stringify(refused)).not.toContain('secret');
  });
});

describe('the sample of the prediction log', () => {
  test('is decided by the prediction id', () => {
    // 0x40000000 of 2^32 is a quarter.
    expect([isSampled(predictionId, 0.25), isSampled(predictionId, 0.26)]).toEqual([false, true]);
    expect(write({}, {}, 0.2)).toBeUndefined();
    expect(write({}, {}, 0.3)).toBeDefined();
    expect(isSampled('ffffffff-0000-4000-8000-000000000000', 1)).toBe(true);
    expect(isSampled('00000000-0000-4000-8000-000000000000', 0)).toBe(false);
  });

  test('always has failures of the server, and those of clients like answers', () => {
    expect(write({ status: 'run_failed', answer: undefined }, {}, 0)).toMatchObject({ status: 'run_failed' });
    expect(write({ status: 'invalid_input', answer: undefined }, {}, 0)).toBeUndefined();
  });

  test('has rows of batches and jobs only on wish', () => {
    const lineOf = (logsBatches: boolean) =>
      createLineWriter({ rules: noRules, sample: 1, logsBatches })(eventOf({ source: 'job' }));
    expect(lineOf(false)).toBeUndefined();
    expect(lineOf(true)).toContain('"source":"job"');
  });
});
