import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

describe('a JSON body', () => {
  test.each([
    ['', 'The body is empty.'],
    ['{', /The fault is at character 1|ends early/],
    ['{"age": 42', /The fault is at character \d+|ends early/],
    ['{"age": 42,}', /The fault is at character \d+/],
    ['{"age": NaN}', /The fault is at character \d+|^The body has a "N" where JSON has none\.$/],
    ['[1, 2, ]', /The fault is at character \d+|^The body has a "]" where JSON has none\.$/],
    ['"', /The fault is at character \d+|ends early/],
    ['\u00e9', /The fault is at character 0|^The body is no JSON\.$/],
    [`\uFEFF${loan}`, /The fault is at character 0|^The body is no JSON\.$/],
    [nested(33) + ' '.repeat(40), 'The body is nested more than 32 levels deep.'],
  ])('of %j is refused as invalid_json', async (text, detail) => {
    await using server = await buildTestApp();
    const { status, body } = await server.post('/predict', text);
    expect(status).toBe(400);
    expect(body.code).toBe('invalid_json');
    expect(body.detail).toMatch(detail);
  });

  test('may be nested 32 levels deep, and brackets in strings do not count', async () => {
    await using server = await buildTestApp();
    const deep = await server.post('/predict', nested(32));
    expect(deep.body.code).toBe('invalid_input');
    const text = await server.post('/predict', JSON.stringify({ age: '[{"\\'.repeat(1_000) }));
    expect(text.body.code).toBe('invalid_input');
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;Charset="UTF-8"'])(
    'is taken as %s',
    async (type) => {
      await using server = await buildTestApp();
      expect((await server.post('/predict', loan, { 'content-type': type })).status).toBe(200);
    },
  );

  test.each([
    ['of no type', {}],
    ["of curl's own type", { 'content-type': 'application/x-www-form-urlencoded' }],
    ['of a type that is none', { 'content-type': 'json' }],
  ])('%s is refused, with the type that is taken', async (_, headers) => {
    await using server = await buildTestApp();
    const request = { method: 'POST', url: '/predict', payload: Buffer.from(loan), headers } as const;
    const reply = await server.app.inject(request);
    expect(reply.statusCode).toBe(415);
    expect(reply.json().detail).toBe('Send content-type: application/json.');
  });

  test('that is compressed is refused, with what is taken', async () => {
    await using server = await buildTestApp();
    const { status, headers } = await server.post('/predict', loan, { 'content-encoding': 'gzip' });
    expect(status).toBe(415);
    expect(headers['accept-encoding']).toBe('identity');
  });
});
