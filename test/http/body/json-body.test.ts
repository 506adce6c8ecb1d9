import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { exchangeRaw } from '../../faults/instruments/raw-http.js';
import { buildTestApp, type TestApp } from '../../helpers/app.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

describe('a JSON body', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await buildTestApp();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const many = 'The body has more than one JSON document, the next at character';
  test.each([
    ['', 'The body is empty: send the input as JSON.'],
    [' \n', 'The body is empty: send JSON.'],
    ['{', 'The body ends early: send the whole of it.'],
    ['{"age": 42', 'The body ends early: send the whole of it.'],
    ['{"age', 'The body ends early: send the whole of it.'],
    ['{"age\\', 'The body ends early: send the whole of it.'],
    ['"', 'The body ends early: send the whole of it.'],
    ['{"age": NaN}', 'NaN is not JSON: send null. It is at character 8.'],
    ['{"a":"NaN","age": -Infinity}', '-Infinity is not JSON: send null. It is at character 18.'],
    ['[Infinity]', 'Infinity is not JSON: send null. It is at character 1.'],
    ['{"age": nan}', 'nan is not JSON: send null. It is at character 8.'],
    ['{"age": None}', 'None is not JSON: send null. It is at character 8.'],
    ['{"age": undefined}', 'undefined is not JSON: send null. It is at character 8.'],
    ['{"age": True}', 'True is not JSON: send true. It is at character 8.'],
    ['{"age": FALSE}', 'FALSE is not JSON: send false. It is at character 8.'],
    ['{"age": 42,}', 'There is a comma too many before character 11: remove it.'],
    ['[1, 2, ]', 'There is a comma too many before character 7: remove it.'],
    ['[1,,2]', 'A value is missing at character 3.'],
    ['{"age":}', 'A value is missing at character 7.'],
    ['{"age" 42}', 'A colon is missing at character 7.'],
    ['{"age": 42 "income": 1}', 'A comma is missing at character 11.'],
    ['{"age": 42]', 'There is a "]" too many at character 10.'],
    [
      "{'age': 42}",
      'There is a single quote at character 1: JSON has double quotes around each text and name.',
    ],
    ['{“age”: 42}', 'There is a quotation mark at character 1 that JSON does not have: write ".'],
    ['{age: 42}', 'There is no name in double quotes at character 1.'],
    ['{"age": high}', 'There is no value of JSON at character 8: a text stands in double quotes.'],
    ['\u00e9', 'There is no value of JSON at character 0: a text stands in double quotes.'],
    ['{"age": 42} // years', 'There is a comment at character 12: JSON has none, so remove it.'],
    ['/* years */ {"age": 42}', 'There is a comment at character 0: JSON has none, so remove it.'],
    [`${loan}\n${loan}\n`, `${many} 47: send one row a request, or a row a line to /predict/batch.`],
    [`${loan}${loan}`, `${many} 46: send one row a request, or a row a line to /predict/batch.`],
    ['{"age": "a\nb"}', /^A text has a line break or another control character at character 10: /],
    ['{"age": "C:\\d"}', /^A text has a backslash at character 11 that begins no escape of JSON: /],
    ['{"age": +1}', /^The number at character 8 is not JSON: /],
    ['{"age": 042}', /^The number at character 8 is not JSON: /],
    ['{"age": .5}', /^The number at character 8 is not JSON: /],
    ['{"age": 1_000}', /^The number at character 8 is not JSON: /],
    ['age=42&income=1', 'The body is a form: send JSON.'],
    ['[object Object]', 'The body is a printed object: send it as JSON, such as by JSON.stringify.'],
    ['<row/>', 'The body is HTML or XML: send JSON.'],
    ["b'{}'", 'The body is a printed text of Python: send the text itself.'],
    ['@row.json', 'The body is the name of a file: send what the file holds.'],
    [`\uFEFF${loan}`, 'The body begins with a byte order mark (BOM): send UTF-8 without it.'],
    ['{\0"\0a\0"\0', 'The body has bytes of zero, as UTF-16 has: send UTF-8.'],
    [nested(33) + ' '.repeat(40), 'The body is nested more than 32 levels deep.'],
  ])('%j is refused as invalid_json', async (text, detail) => {
    const { status, body } = await server.post('/predict', text);
    expect(status).toBe(400);
    expect(body.code).toBe('invalid_json');
    if (typeof detail === 'string') expect(body.detail).toBe(detail);
    else expect(body.detail).toMatch(detail);
  });

  test('in UTF-16 is refused, and the error names UTF-16', async () => {
    const payload = Buffer.from(`\uFEFF${loan}`, 'utf16le');
    const headers = { 'content-type': 'application/json' };
    const reply = await server.app.inject({ method: 'POST', url: '/predict', payload, headers });
    expect(reply.json()).toMatchObject({ code: 'invalid_json', detail: 'The body is UTF-16: send UTF-8.' });
  });

  test('leaves its connection open when it is refused', async () => {
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as { port: number };
    const post = (text: string) =>
      `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    const bodies = ['{"age": NaN}', '', `\uFEFF${loan}`, "{'age': 42}", `${loan}\n${loan}`, '{'];
    const { statuses, isClosed } = await exchangeRaw(port, [...bodies, loan].map(post));
    expect(statuses).toEqual([...bodies.map(() => 400), 200]);
    expect(isClosed).toBe(false);
  });

  test.each([
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    'application/x-www-form-urlencoded',
  ])('may be absent in a DELETE or GET with the content type %s', async (type) => {
    const headers = { 'content-type': type };
    const reply = await server.app.inject({ method: 'DELETE', url: '/admin/cache', headers });
    expect(reply.statusCode).toBe(200);
    expect((await server.get('/models', headers)).status).toBe(200);
  });

  test('with more names or values than the model has is refused before it is parsed', async () => {
    const row = (count: number) => `{${Array.from({ length: count }, (_, k) => `"k${k}":1`).join()}}`;
    const parse = vi.spyOn(JSON, 'parse');
    try {
      const refused = [
        [row(600_000), 'names and objects'],
        [`[${'{},'.repeat(100_000)}{}]`, 'names and objects'],
        [`[${'[],'.repeat(100_000)}[]]`, 'values'],
        [`[${'1,'.repeat(100_000)}1]`, 'values'],
        [`{"age":[${'"",'.repeat(100_000)}1]}`, 'values'],
      ] as const;
      for (const [text, what] of refused) {
        const { status, json } = await server.app
          .inject({
            method: 'POST',
            url: '/predict',
            payload: text,
            headers: { 'content-type': 'application/json' },
          })
          .then((reply) => ({ status: reply.statusCode, json: reply.body }));
        expect(status).toBe(400);
        expect(json).toMatch(/"code":"invalid_input"/);
        expect(json).toContain(`${what}, and a request of this model at most 100`);
      }
      expect(parse.mock.calls.filter(([text]) => String(text).length > 10_000)).toEqual([]);
    } finally {
      parse.mockRestore();
    }
    const few = await server.post('/predict', row(900));
    expect(few.body.errors).toHaveLength(100);
  });

  test('may be nested 32 levels deep, not counting brackets in strings', async () => {
    const deep = await server.post('/predict', nested(32));
    expect(deep.body.code).toBe('invalid_input');
    const text = await server.post('/predict', JSON.stringify({ age: '[{"\\'.repeat(1_000) }));
    expect(text.body.code).toBe('invalid_input');
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;Charset="UTF-8"'])(
    'is accepted with the content type %s',
    async (type) => {
      expect((await server.post('/predict', loan, { 'content-type': type })).status).toBe(200);
    },
  );

  test.each([
    ['without a type', {}],
    ["with curl's default type", { 'content-type': 'application/x-www-form-urlencoded' }],
    ['with an invalid type', { 'content-type': 'json' }],
  ])('%s is refused, and the error names the accepted type', async (_, headers) => {
    const request = { method: 'POST', url: '/predict', payload: Buffer.from(loan), headers } as const;
    const reply = await server.app.inject(request);
    expect(reply.statusCode).toBe(415);
    expect(reply.json().detail).toBe('Send content-type: application/json.');
  });

  test('with a Content-Encoding is refused, and accept-encoding names the accepted one', async () => {
    const { status, headers } = await server.post('/predict', loan, { 'content-encoding': 'gzip' });
    expect(status).toBe(415);
    expect(headers['accept-encoding']).toBe('identity');
  });
});
