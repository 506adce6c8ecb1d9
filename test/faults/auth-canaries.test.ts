import { afterAll, expect } from 'vitest';
import { entry, secretOf, sha256 } from '../helpers/keys.js';
import { bigInt64, gatherByValue, linearRegression, nanAt, slow } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { type RawAnswer, sendRaw } from './instruments/raw-http.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
const manifest = { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] } as const;
const runtime = { executor: 'isolated', timeoutMs: 300, maxBatchRows: 1, maxQueueRows: 1 } as const;
folder.addVersion('plain', '1', {
  manifest: { ...manifest, features: [{ name: 'x', type: 'number', maximum: 1e12, example: 1 }] },
  model: linearRegression([1e-30], 1),
});
folder.addVersion('places', '1', { manifest, model: gatherByValue() });
folder.addVersion('logarithm', '1', { manifest, model: nanAt() });
folder.addVersion('exact', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'integer', example: 1 }] },
  model: bigInt64(),
});
folder.addVersion('slow', '1', { manifest: { ...manifest, runtime }, model: slow() });
folder.addVersion('refused', '1', { manifest, model: Buffer.from('junk') });

const names = ['sound', 'reader', 'expired', 'unknown'].map((name) => `CANARY-${name}`);
const [sound = '', reader = '', expired = '', unknown = ''] = names.map(secretOf);
const keys = [
  entry('client-1', { sha256: sha256(sound), scopes: ['predict', 'read'] }),
  entry('client-2', { sha256: sha256(reader), scopes: ['read'] }),
  entry('client-3', { sha256: sha256(expired), expires: '2020-01-01T00:00:00Z' }),
];
/** Traces of a client's key: the key, its base64, its digest. */
const keyTraces = new RegExp(
  [
    'CANARY',
    Buffer.from('CANARY').toString('base64').slice(0, 7),
    ...[sound, reader, expired, unknown].map((key) => sha256(key).slice(0, 16)),
  ].join('|'),
  'i',
);
const person = 'Ada Personal';
// Exact as a float32, so that it is recognized if the engine quotes it.
const number = 4815162368;
const personalTraces = /personal|4815162368|4\.81516/i;

interface Case {
  readonly method?: string;
  readonly target: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const header = `X-API-Key: ${sound}`;
const row = `{"x":${number}}`;
const cases: readonly Case[] = [
  { target: '/predict', body: row, headers: [header] },
  { target: '/predict', body: `{"x":"${person}"}`, headers: [header] },
  { target: '/predict', body: `{"x":${number}000000,"${person}":1}`, headers: [header] },
  { target: '/predict', body: `{"x":${number}, "${person}`, headers: [header] },
  { target: '/predict', body: `{"x":"${sound}"}`, headers: [header] },
  { target: '/predict', body: `${'['.repeat(40)}"${person}"`, headers: [header] },
  { target: '/predict', body: row, headers: [header, `Content-Type: text/${person.replace(' ', '')}`] },
  { target: '/predict', body: row, headers: [header, `X-Request-Timeout-Ms: ${person}`] },
  { target: '/predict', body: `{"x":"${person.repeat(500)}"}`, headers: [header] },
  { target: '/predict', body: row },
  { target: '/predict', body: row, headers: [`X-API-Key: ${unknown}`] },
  { target: '/predict', body: row, headers: [`X-API-Key: ${expired}`] },
  { target: '/predict', body: row, headers: [`X-API-Key: ${reader}`] },
  { target: '/predict', body: row, headers: [`Authorization: Bearer ${sound}x`] },
  {
    target: '/predict',
    body: row,
    headers: [`Authorization: Basic ${Buffer.from(sound).toString('base64')}`],
  },
  { target: '/predict', body: row, headers: [header, `Authorization: Bearer ${unknown}`] },
  { target: '/predict', body: row, headers: [header, `X-Request-Id: ${sound}`] },
  { target: '/predict', body: row, headers: [header, `X-Request-Id: ${person}`] },
  { target: '/predict', body: row, headers: [`X-Request-Id: ${unknown}`] },
  { target: `/predict?key=${sound}&name=${number}`, body: row },
  { target: `/predict?key=${sound}&name=${number}`, body: row, headers: [header] },
  { target: `/models/${sound}/predict`, body: row, headers: [header] },
  { method: 'GET', target: `/models/${unknown}/versions/${sound}`, headers: [header] },
  { method: 'GET', target: `/${sound}` },
  { method: 'DELETE', target: `/predict?key=${sound}&name=${number}`, headers: [header] },
  { method: 'GET', target: `/%zz?key=${sound}`, headers: [header] },
  { method: 'GET', target: '/models', headers: [`${sound.padEnd(20_000, 'x')}: 1`] },
  { method: 'GET', target: '/models', headers: [header, `Bad ${person}: 1`] },
  { method: 'GET', target: '/models', headers: [`X-API-Key: ${sound}`, `Content-Length: ${sound}`] },
  ...['places', 'logarithm', 'exact', 'slow', 'refused', 'nope'].map((model) => ({
    target: `/models/${model}/predict`,
    body: `{"x":${model === 'logarithm' ? -number : number}}`,
    headers: [header],
  })),
];
/** At level debug the log has the path of each request, in which only keys are hidden. */
const inPath: readonly Case[] = [
  { target: `/models/${person.replace(' ', '-')}/predict`, body: row, headers: [header] },
  { method: 'GET', target: `/${number}` },
];

async function runCases(environment: Record<string, string>, all: readonly Case[]) {
  await using server = await startServerProcess({
    MODELS_DIR: folder.path,
    DEFAULT_MODEL: 'plain',
    API_KEYS: JSON.stringify(keys),
    ...environment,
  });
  const answers: (RawAnswer & { code: string; body: string })[] = [];
  for (const { method = 'POST', target, headers = [], body = '' } of all) {
    const more = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    const type = headers.some((it) => it.startsWith('Content-Type'))
      ? []
      : ['Content-Type: application/json'];
    const personal = [`User-Agent: ${person}`, `Cookie: name=${person}; key=${sound}`, `Referer: /${sound}`];
    const lines = ['Host: a', 'Connection: close', ...more, ...type, ...headers, ...personal];
    const text = `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
    const answer = await sendRaw(server.port, text, 5_000);
    const code = answer.status === 200 ? 'ok' : JSON.parse(answer.body).code;
    answers.push({ ...answer, code });
  }
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  server.child.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
  return { answers, metrics, written: [...server.stdout, ...server.stderr].join('\n') };
}

faultWithoutServer(
  'A04',
  'keys appear in no answer, log line or metric, and personal values only in the answer to their own request',
  async () => {
    const codes = new Set<string>();
    let searched = 0;
    let requests = 0;
    for (const [environment, all] of [
      [{ LOG_LEVEL: 'debug' }, cases],
      [{ ERROR_DETAIL: 'off' }, [...cases, ...inPath]],
    ] as const) {
      const { answers, metrics, written } = await runCases(environment, all);
      requests += answers.length;
      for (const [k, { headers, body, code }] of answers.entries()) {
        codes.add(code);
        const text = JSON.stringify([[...headers], body]);
        searched += text.length;
        // A 400 quotes the client's own input, unless ERROR_DETAIL is off.
        const quotes = code === 'invalid_input' && !('ERROR_DETAIL' in environment);
        const label = `${JSON.stringify(all[k])} → ${text}`;
        if (!quotes) {
          expect(keyTraces.test(text), label).toBe(false);
          expect(personalTraces.test(text), label).toBe(false);
        }
      }
      searched += metrics.length + written.length;
      for (const text of [metrics, ...written.split('\n')]) {
        expect(text).not.toMatch(keyTraces);
        expect(text).not.toMatch(personalTraces);
      }
      if ('LOG_LEVEL' in environment) expect(written).toContain('"key":"client-1"');
    }
    return `leaks 0 in ${requests} requests, ${Math.round(searched / 1_024)} kB searched, ${codes.size} codes: ${[...codes].sort().join(' ')}`;
  },
  120_000,
);
