import { expect } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { faultPlainAndTls } from './instruments/plain-and-tls.js';
import { rawPost, sendRaw } from './instruments/raw-http.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const problemType = 'application/problem+json; charset=utf-8';

/** Texts that would expose internals of the server. */
const inside = /node_modules|\/work|\/src\/|\.js:\d|\bat \w+ \(|onnx|FST_|HPE_|Parse Error|secret/i;

faultPlainAndTls('H10', 'every fault on the wire is answered with problem+json', async ({ server }, open) => {
  const get = (target: string, ...more: string[]) =>
    `GET ${target} HTTP/1.1\r\n${['Host: a', 'Connection: close', ...more].join('\r\n')}\r\n\r\n`;
  const cases: [string | Buffer, number][] = [
    [get('/nope'), 404],
    [get('/nope?a=1#b'), 404],
    [get('/predict'), 405],
    [get('/%zz'), 400],
    [get('/models/%ff'), 400],
    [get(`/${'x'.repeat(10_000)}`), 404],
    [get('/health', `X-Long: ${'x'.repeat(20_000)}`), 431],
    [get('/health', 'Bad Header: 1'), 400],
    [get('/health', 'Content-Length: x'), 400],
    [get('/health', 'Content-Length: 1', 'Content-Length: 2'), 400],
    [get('/health', 'Transfer-Encoding: x'), 400],
    ['GET /health HTTP/9.9\r\n\r\n', 400],
    ['GET /health HTTP/1.1\r\n\r\n', 400],
    ['BREW /health HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['\x16\x03\x01\x02\x00', 400],
    ['junk\r\n\r\n', 400],
    [`${get('/health').trimEnd()}\r\nX: a\x00b\r\n\r\n`, 400],
    [rawPost('/predict', '{'), 400],
    [rawPost('/predict', ''), 400],
    [rawPost('/predict', loan, ['Content-Type: text/xml']), 415],
    [rawPost('/predict', loan, ['Expect: 200-maybe', 'Content-Type: a/b']), 415],
    [rawPost('/predict', 'zz\r\n', ['Transfer-Encoding: chunked']), 400],
    [rawPost('/models/nope/predict', loan), 404],
    ['TRACE /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Secret: secret\r\n\r\n', 405],
    ['OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 404],
    ['CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n', 405],
    ['CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\nsecret of a tunnel', 405],
  ];
  let others = 0;
  for (const [bytes, expected] of cases) {
    const { status, headers, body } = await sendRaw(server.port, bytes, 500, open);
    const label = bytes.toString('latin1').slice(0, 60);
    expect(status, label).toBe(expected);
    if (headers.get('content-type') !== problemType) others += 1;
    else
      expect(JSON.parse(body)).toMatchObject({ status: expected, request_id: headers.get('x-request-id') });
    expect(body).not.toMatch(inside);
    expect(Math.abs(Date.parse(headers.get('date') ?? '') - Date.now()), label).toBeLessThan(5_000);
    expect(headers.get('x-content-type-options'), label).toBe('nosniff');
  }
  const bare = 'HEAD /nope HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const head = await sendRaw(server.port, bare, 500, open);
  expect([head.status, head.headers.get('content-type'), head.body]).toEqual([404, problemType, '']);
  expect(others).toBe(0);
  return `other bodies ${others} of ${cases.length + 1}`;
});

faultWithoutServer('H10', 'the answer to a thrown error shows nothing of it', async () => {
  await using server = await buildTestApp();
  const secrets = [
    'secret in a text',
    42,
    undefined,
    null,
    { code: 'FST_ERR_REP_ALREADY_SENT', message: 'secret' },
  ];
  const errors = [
    ...secrets,
    new Error('secret of /etc/passwd'),
    Object.assign(new Error('secret'), { statusCode: 418, code: 'ECONNREFUSED' }),
    Object.assign(new TypeError('secret'), { statusCode: 200 }),
    new Error('onnxruntime: /srv/models/secret.onnx'),
  ];
  let leaks = 0;
  for (const error of errors) {
    server.app.predictor.predict = () => Promise.reject(error);
    const { status, headers, text } = await server.post('/predict', {});
    expect(status).toBe(500);
    expect(headers['content-type']).toBe(problemType);
    if (inside.test(text)) leaks += 1;
  }
  expect(leaks).toBe(0);
  return `leaks ${leaks} of ${errors.length}`;
});

fault(
  'H11',
  'an invalid request id is replaced',
  async ({ server }) => {
    const ids = ['x'.repeat(10_000), 'a"b', 'a\tb', '{"level":60}', 'a b', '\u00e9', "a'b", '-', '<b>'];
    for (const id of ids) {
      for (const path of ['/health', '/nope', '/%zz']) {
        const bytes = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: ${id}\r\n\r\n`;
        const { headers } = await sendRaw(server.port, Buffer.from(bytes, 'latin1'));
        expect(headers.get('x-request-id'), `${id} ${path}`).toMatch(/^[0-9a-f-]{36}$/);
      }
    }
    const broken = server.stdout.filter((line) => !isJson(line)).length;
    expect(server.stdout.length).toBeGreaterThan(ids.length);
    expect(broken).toBe(0);
    return `broken lines ${broken} of ${server.stdout.length}, ids replaced ${ids.length}`;
  },
  { environment: { LOG_LEVEL: 'debug' } },
);

function isJson(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object';
  } catch {
    return false;
  }
}
