import { spawnSync } from 'node:child_process';
import { describe, expect, test, vi } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { type ReceivedSpan, startCollector } from '../helpers/collector.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const caller = {
  traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  tracestate: 'vendor=1',
};

describe('with a collector', () => {
  test('a prediction is a trace: its request, and its stages one after the other', async () => {
    await using collector = await startCollector();
    await using server = await buildTestApp({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20secret',
      OTEL_SERVICE_NAME: 'loans',
    });
    const { status, body } = await server.post('/predict', loan, { ...caller, 'x-request-id': 'mine' });
    expect(status).toBe(200);
    await vi.waitUntil(() => collector.spans.some(({ kind }) => kind === 2), { timeout: 10_000 });
    expect(collector.requests[0]).toMatchObject({
      path: 'POST /v1/traces',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
    });
    expect(collector.resources[0]).toMatchObject({ 'service.name': 'loans' });
    const { spans } = collector;
    const request = spans.find(({ kind }) => kind === 2) as ReceivedSpan;
    expect(request).toMatchObject({
      traceId,
      parentSpanId: '00f067aa0ba902b7',
      traceState: 'vendor=1',
      name: 'POST /predict',
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/predict',
        'url.path': '/predict',
        'http.response.status_code': '200',
        'sardonyx.request_id': 'mine',
        'sardonyx.prediction_id': body.prediction_id,
      },
      status: {},
    });
    const stages = spans.filter(({ kind }) => kind === 1).toSorted((a, b) => a.startMs - b.startMs);
    expect(stages.map(({ name }) => name)).toEqual(['check', 'queue', 'run', 'encode']);
    for (const [k, stage] of stages.entries()) {
      expect(stage).toMatchObject({ traceId, parentSpanId: request.spanId });
      expect(stage.attributes).toMatchObject({ 'sardonyx.model': 'credit-risk' });
      // A double holds nanoseconds since 1970 to a quarter of a microsecond.
      expect(stage.startMs).toBeGreaterThanOrEqual((stages[k - 1]?.endMs ?? request.startMs) - 0.002);
      expect(stage.endMs).toBeLessThanOrEqual(request.endMs + 0.002);
    }
    expect(Math.abs(request.endMs - Date.now())).toBeLessThan(60_000);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
  });

  test('probes and scrapes are recorded only with the trace of a caller', async () => {
    await using collector = await startCollector();
    await using server = await buildTestApp({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    for (const path of ['/health', '/health/live', '/health/ready', '/metrics']) await server.get(path);
    await server.get('/health/live', caller);
    await server.get('/models');
    await vi.waitUntil(() => collector.spans.length > 0, { timeout: 10_000 });
    expect(collector.spans.map(({ name }) => name)).toEqual(['GET /health/live', 'GET /models']);
  });

  test.each([
    ['http://user:hush@127.0.0.1:4318', 'must have no user and password'],
    ['http://127.0.0.1:4318/?token=hush', 'must end with a path'],
    ['http://127.0.0.1:4318/#hush', 'must end with a path'],
    ['http://127.0.0.1:99999/hush', 'is no address'],
    ['http://[::1/hush', 'is no address'],
  ])('the address %s is refused, and not quoted', async (address, reason) => {
    const start = buildTestApp({ OTEL_EXPORTER_OTLP_ENDPOINT: address });
    const message = await start.then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(message).toContain(`OTEL_EXPORTER_OTLP_ENDPOINT: ${reason}`);
    expect(message).not.toContain('hush');
  });

  test('a row of the cache has a lookup instead of a run, and a fault of the server is an error', async () => {
    await using collector = await startCollector();
    await using server = await buildTestApp({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    const body = { inputs: { pixels: [Array.from({ length: 64 }, () => 1)] } };
    const found = await server.post('/models/digests/predict', body, caller);
    expect(found.status).toBe(404);
    for (let k = 0; k < 2; k += 1) await server.post('/predict', { age: 1 }, caller);
    await vi.waitUntil(() => collector.spans.length >= 3, { timeout: 10_000 });
    expect(collector.spans.map(({ status }) => status.code)).toEqual([undefined, undefined, undefined]);
    expect(collector.spans.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([
      '404',
      '400',
      '400',
    ]);
    // The client's mistakes in an address must not become names of spans.
    expect(collector.spans[0]?.name).toBe('POST /models/:model/predict');
  });

  test('an unsampled request is not recorded, but the lines of its log have the id of its trace', async () => {
    await using collector = await startCollector();
    await using server = await buildTestApp({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      LOG_LEVEL: 'debug',
    });
    await server.post('/predict', { age: 1 }, { traceparent: caller.traceparent.replace(/1$/, '0') });
    await server.post('/predict', loan, { traceparent: 'nonsense' });
    await vi.waitUntil(() => collector.spans.length > 0, { timeout: 10_000 });
    expect(collector.spans.every((span) => span.traceId !== traceId)).toBe(true);
    const lines = server.logs.filter((line) => line['trace_id'] === traceId);
    // The refusal, and the line of the request.
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringContaining('input'), 'request']);
  });

  test('a chunk of a job is a trace of its own, which links to the request', async () => {
    await using collector = await startCollector();
    await using server = await buildTestApp({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    const rows = `${JSON.stringify(loan)}\n{"age":1}\n`;
    const headers = { ...caller, 'content-type': 'application/x-ndjson' };
    const { status, body } = await server.post('/predict/batch', rows, headers);
    expect(status).toBe(202);
    const chunkOf = () => collector.spans.find(({ kind }) => kind === 5);
    await vi.waitUntil(() => chunkOf() !== undefined, { timeout: 20_000 });
    await vi.waitUntil(() => collector.spans.some(({ kind }) => kind === 2), { timeout: 20_000 });
    const request = collector.spans.find(({ name }) => name === 'POST /predict/batch') as ReceivedSpan;
    const chunk = chunkOf() as ReceivedSpan;
    expect(chunk).toMatchObject({
      name: 'job chunk',
      links: [{ traceId, spanId: request.spanId }],
      attributes: {
        'sardonyx.job_id': body.job_id,
        'sardonyx.completed_rows': '1',
        'sardonyx.failed_rows': '1',
      },
    });
    expect(chunk.traceId).not.toBe(traceId);
  });

  test('a collector that is away costs counted spans and one line', async () => {
    await using server = await buildTestApp({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    for (let k = 0; k < 5; k += 1) expect((await server.post('/predict', loan)).status).toBe(200);
    const failed = async () => {
      const { text } = await server.get('/metrics');
      return Number(/^otel_spans_total\{result="failed"\} (\d+)/m.exec(text)?.[1]);
    };
    await vi.waitUntil(async () => (await failed()) >= 25, { timeout: 30_000, interval: 200 });
    const lines = server.logs.filter(({ msg }) => String(msg).includes('the collector of traces'));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.['problem']).toMatch(/ECONNREFUSED|refused|bad port/i);
  });

  test('headers of another form stop the start, and are not quoted', async () => {
    const start = buildTestApp({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'my secret',
    });
    await expect(start).rejects.toThrow(/^OTEL_EXPORTER_OTLP_HEADERS: takes name=value/);
    await expect(start).rejects.not.toThrow(/my secret/);
  });
});

describe('/metrics', () => {
  test('has exemplars of traces for a scraper that asks for OpenMetrics, and none otherwise', async () => {
    await using collector = await startCollector();
    await using server = await buildTestApp({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    await server.post('/predict', loan, caller);
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3';
    const open = await server.get('/metrics', { accept });
    expect(open.status, JSON.stringify(server.logs.at(-1))).toBe(200);
    expect(open.headers['content-type']).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(open.text).toMatch(
      new RegExp(
        `^prediction_latency_seconds_bucket\\{.*\\} 1 # \\{trace_id="${traceId}"\\} [\\d.e-]+ [\\d.]+$`,
        'm',
      ),
    );
    expect(open.text).toMatch(/^# TYPE predictions counter$/m);
    expect(open.text).toMatch(/^predictions_total\{.*\} 1$/m);
    expect(open.text.endsWith('# EOF\n')).toBe(true);
    const classic = await server.get('/metrics');
    expect(classic.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(classic.text).not.toContain('trace_id');
    // A scrape in one format must not change the names in the other one.
    expect(classic.text).toMatch(/^# TYPE predictions_total counter$/m);
    expect(classic.text).toMatch(/^process_cpu_seconds_total /m);
  });
});

test('without a collector no module of the traces is loaded', () => {
  const script = `
    const { buildServer } = await import('./dist/app.js');
    const { readConfig } = await import('./dist/config/read-config.js');
    const { pino } = await import('pino');
    const app = await buildServer(readConfig({ MODELS_DIR: 'models' , ...JSON.parse(process.argv[1]) }), pino({ level: 'silent' }));
    await app.close();`;
  const loaded = (environment: object) => {
    const hooks = `data:text/javascript,export async function load(url, context, next) {
      if (url.includes('/tracing')) process._rawDebug(url); return next(url, context); }`;
    const register = `import { register } from 'node:module'; register(${JSON.stringify(hooks)});`;
    const code = `data:text/javascript,${encodeURIComponent(register)}`;
    const argv = ['--import', code, '--input-type=module', '-e', script, JSON.stringify(environment)];
    const { stderr, status } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    return stderr.split('\n').filter((line) => line.startsWith('file:') && !line.includes('/config/'));
  };
  expect(loaded({})).toEqual([]);
  // Proof that the check sees them.
  const all = loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  expect(all.some((url) => url.endsWith('/tracing/tracing.js'))).toBe(true);
  expect(all.length).toBeGreaterThan(5);
});
