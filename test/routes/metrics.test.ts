import { describe, expect, test } from 'vitest';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';
import { readMetricText } from '../helpers/ask.js';
import { network } from '../helpers/onnx/company-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { shareTestApp } from '../helpers/shared-app.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const labels = 'model="credit-risk",model_version="20261115_143000"';

describe('GET /metrics', () => {
  const server = shareTestApp();

  test('counts predictions by model, version and status', async () => {
    await using server = await buildTestApp();
    for (const body of [loan, loan, { age: 1 }]) await server.post('/predict', body);
    const { text, headers } = await server.get('/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toContain(`predictions_total{${labels},status="ok"} 2\n`);
    expect(text).toContain(`predictions_total{${labels},status="invalid_input"} 1\n`);
    expect(text).toContain(`prediction_latency_seconds_count{${labels}} 3\n`);
    expect(text).toContain(`prediction_run_seconds_count{${labels}} 2\n`);
    // The check refused the third body.
    for (const stage of ['check', 'queue', 'encode'])
      expect(text).toContain(`prediction_${stage}_seconds_count{${labels}} 2\n`);
    expect(text).toContain(`prediction_batch_rows_bucket{${labels},le="1"} 2\n`);
    expect(text).toContain(
      'http_request_duration_seconds_count{method="POST",route="/predict",status="200"} 2',
    );
  });

  test('counts each run of a tensor request that several runs answer', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('network', '1', {
      manifest: { task: 'tensor' },
      model: network(2, 64),
    });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    const inputs = { X: Array.from({ length: 3_000 }, () => [0, 1, 2, 3]) };
    const { status } = await server.post('/models/network/predict', { inputs });
    expect(status).toBe(200);
    const { text } = await server.get('/metrics');
    const of = (name: string) => readMetricText(text, name, 'model="network"');
    expect(of('prediction_run_seconds_count')).toBeGreaterThan(2);
    expect(of('prediction_batch_rows_count')).toBe(of('prediction_run_seconds_count'));
    expect(of('prediction_batch_rows_sum')).toBe(3_000);
    expect(of('prediction_queue_seconds_count')).toBe(1);
  });

  test('has the documented buckets of latency', async () => {
    await server.post('/predict', loan);
    const { text } = await server.get('/metrics');
    const bounds = [...text.matchAll(/^prediction_latency_seconds_bucket\{.*le="([^"]+)"/gm)].map(
      ([, le]) => le,
    );
    expect(bounds).toEqual([
      '0.0005',
      '0.001',
      '0.0025',
      '0.005',
      '0.01',
      '0.05',
      '0.1',
      '0.5',
      '1',
      '5',
      '+Inf',
    ]);
  });

  test('shows the loaded versions and the metrics of their manifests', async () => {
    const { text } = await server.get('/metrics');
    expect(text).toMatch(/^model_info\{model="digits",model_version="1",task="tensor",.*\} 1$/m);
    expect(text).toContain(`model_accuracy{${labels},source="manifest"} 0.8718\n`);
    // Its manifest calls them mean_absolute_error and root_mean_squared_error.
    const diabetes = 'model="diabetes",model_version="1",source="manifest"';
    expect(text).toContain(`model_mae{${diabetes}} 45.7493\n`);
    expect(text).toContain(`model_rmse{${diabetes}} 55.1337\n`);
    expect(text).toContain('model_loads_total{model="credit-risk",result="ready"} 2\n');
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });

  test('counts requests without a route under one label', async () => {
    await using server = await buildEmptyApp();
    await server.get('/a');
    await server.get('/b/c');
    await server.get('/%zz');
    await server.post('/health', {});
    const { text } = await server.get('/metrics');
    const unmatched = text.match(/^http_request_duration_seconds_count\{method="any",route="unmatched".*$/gm);
    expect(unmatched).toEqual([
      'http_request_duration_seconds_count{method="any",route="unmatched",status="404"} 2',
      'http_request_duration_seconds_count{method="any",route="unmatched",status="400"} 1',
      'http_request_duration_seconds_count{method="any",route="unmatched",status="405"} 1',
    ]);
  });

  test('counts only the requests of its own server, not those of another one in the process', async () => {
    await using second = await buildTestApp();
    await server.post('/predict', loan);
    expect((await second.get('/metrics')).text).not.toContain('status="ok"');
  });
});
