import { describe, expect, test } from 'vitest';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };

describe('the log of requests', () => {
  test('has a line without the query for each request at the level debug', async () => {
    await using server = await buildTestApp({ LOG_LEVEL: 'debug' });
    const answer = await server.post('/predict?name=Ada', loan, { 'x-request-id': 'mine' });
    await server.get('/nope?secret=1');
    const lines = server.logs.filter(({ msg }) => msg === 'request');
    expect(lines).toMatchObject([
      {
        level: 20,
        method: 'POST',
        path: '/predict',
        status: 200,
        ms: expect.any(Number),
        request_id: 'mine',
        model: 'credit-risk',
        model_version: '20261115_143000',
        prediction_id: JSON.parse(answer.text).prediction_id,
      },
      { method: 'GET', path: '/nope', status: 404 },
    ]);
    expect(JSON.stringify(server.logs)).not.toMatch(/Ada|secret/);
  });

  test('hides a key in an address, also if it is percent-encoded', async () => {
    await using server = await buildEmptyApp({ LOG_LEVEL: 'debug' });
    const paths = [
      '/models/%73dx_Secret1/predict',
      '/%2573dx_Secret2',
      '/models/sdx_%53ecret3',
      '/a%2Fsdx_Secret4',
    ];
    const bodies = [];
    for (const path of paths) bodies.push((await server.get(path)).text);
    const lines = server.logs.filter(({ msg }) => msg === 'request');
    expect(lines).toHaveLength(paths.length);
    // The log and the answers must not show a key after they are decoded either.
    const text = decodeURIComponent(decodeURIComponent(JSON.stringify([server.logs, bodies])));
    expect(text).not.toMatch(/ecret\d/);
  });

  test('has no line for an answered request at the level info', async () => {
    await using server = await buildTestApp();
    const before = server.logs.length;
    await server.post('/predict', loan);
    expect(server.logs.length).toBe(before);
  });
});
