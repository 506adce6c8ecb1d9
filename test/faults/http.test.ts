import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { stringEcho } from '../helpers/onnx-models.js';
import { memoryMb } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { fault } from './instruments/fault.js';
import { subtractMachineDelay } from './instruments/machine-delay.js';
import { rawPost, sendRaw } from './instruments/raw-http.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const json = { 'content-type': 'application/json' };

fault('H01', 'names of the prototype are ordinary unknown names', async ({ server }) => {
  const bodies = [
    '"__proto__":{"age":42}',
    '"constructor":{"prototype":{"polluted":1}}',
    '"\\u005f_proto__":{"polluted":1}',
    '"const\\u0072uctor":1',
    '"prototype":1',
    '"hasOwnProperty":1',
    '"toString":1',
  ].map((member) => `${loan.slice(0, -1)},${member}}`);
  const names = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', '%5f%5fproto__', 'toString'];
  let attempts = 0;
  for (const body of [...bodies, '{"__proto__":{"age":42,"income":1,"credit_score":300}}']) {
    const { status, body: text } = await sendRaw(server.port, rawPost('/predict', body));
    expect(status, body).toBe(400);
    expect(JSON.parse(text).code).toBe('invalid_input');
    attempts += 1;
  }
  for (const name of names) {
    for (const path of [`/models/${name}`, `/models/credit-risk/versions/${name}`]) {
      expect((await fetch(server.url + path)).status, path).toBe(404);
      const posted = await fetch(`${server.url}${path}/predict`, {
        method: 'POST',
        headers: json,
        body: loan,
      });
      expect(posted.status, path).toBe(404);
      attempts += 2;
    }
  }
  // A polluted prototype would appear in every answer.
  const health = await (await fetch(`${server.url}/health`)).text();
  const polluted = /polluted/.test(health) ? 1 : 0;
  expect(polluted).toBe(0);
  return `polluted objects ${polluted} of ${attempts}`;
});

const echo = createRegistryFolder();
// A model that returns its text, as a tensor, since a prediction cannot be free text.
echo.addVersion('texts', '1', { manifest: { task: 'tensor' }, model: stringEcho() });

fault(
  'H02',
  'strings reach the model byte for byte, or are refused',
  async ({ server }) => {
    const wrap = (text: string | Uint8Array) =>
      Buffer.concat([Buffer.from('{"inputs":{"X":[["'), Buffer.from(text), Buffer.from('"]]}}')]);
    const path = '/models/texts/predict';
    const refused = [
      wrap(Uint8Array.of(0xff)),
      wrap(Uint8Array.of(0xc3)),
      wrap(Uint8Array.of(0xc0, 0xaf)),
      wrap(Uint8Array.of(0xed, 0xa0, 0x80)),
      wrap(Uint8Array.of(0xf5, 0x80, 0x80, 0x80)),
      Buffer.concat([Uint8Array.of(0xef, 0xbb, 0xbf), wrap('a')]),
      Buffer.from(loan, 'utf16le'),
      wrap('\0'),
      wrap('\\u0000'),
      wrap('a\\u0000b'),
      wrap('\\ud800'),
      wrap('\\udc00\\ud800'),
    ];
    for (const body of refused) {
      expect((await sendRaw(server.port, rawPost(path, body))).status, body.toString('hex')).toBe(400);
    }
    const kept = [
      '',
      ' a ',
      'é',
      'e\u0301',
      '日本',
      '😀',
      '\u2028',
      '\uFEFFa',
      'Ω'.repeat(10_000),
      '\\',
      '"',
    ];
    let altered = 0;
    for (const text of kept) {
      const { status, body } = await sendRaw(
        server.port,
        rawPost(path, JSON.stringify({ inputs: { X: [[text]] } })),
      );
      expect(status, text).toBe(200);
      if (JSON.parse(body).outputs.variable[0][0] !== text) altered += 1;
    }
    expect(altered).toBe(0);
    return `altered strings ${altered} of ${kept.length}, refused ${refused.length} of ${refused.length}`;
  },
  { environment: { MODELS_DIR: echo.path }, golden: undefined },
);

fault(
  'H03',
  'huge and deep bodies are refused early, with a short answer',
  async ({ server, measureMachineDelay }) => {
    const bodies: Record<string, [string, number]> = {
      deep: ['['.repeat(450_000) + ']'.repeat(450_000), 400],
      deepObjects: [`${'{"a":'.repeat(450_000)}1${'}'.repeat(450_000)}`, 400],
      keys: [`{${Array.from({ length: 60_000 }, (_, k) => `"key_${k}":1`).join()}}`, 400],
      manyKeys: [`{${Array.from({ length: 600_000 }, (_, k) => `"k${k}":1`).join()}}`, 400],
      number: [`{"age":${'9'.repeat(1_000_000)},"income":1,"credit_score":300}`, 400],
      longKey: [`{"${'k'.repeat(1_000_000)}":1}`, 400],
      longText: [`{"age":"${'x'.repeat(1_000_000)}"}`, 400],
      tooLarge: [`"${'x'.repeat(9_000_000)}"`, 413],
    };
    let longestReply = 0;
    let longestDelayMs = 0;
    let note = '';
    for (const [name, [body, expected]] of Object.entries(bodies)) {
      // Reading the metric resets its maximum.
      await readMetric(server.url, 'nodejs_eventloop_lag_max_seconds');
      const excusedMs = await measureMachineDelay(async () => {
        const answer = await sendRaw(server.port, rawPost('/predict', body), 5_000);
        expect(answer.status, name).toBe(expected);
        const { errors = [] } = JSON.parse(answer.body);
        expect(errors.length).toBeLessThanOrEqual(100);
        longestReply = Math.max(longestReply, answer.body.length);
      });
      const delayMs = (await readMetric(server.url, 'nodejs_eventloop_lag_max_seconds')) * 1_000;
      const judged = subtractMachineDelay(name, delayMs, excusedMs);
      longestDelayMs = Math.max(longestDelayMs, judged.ownMs);
      note += judged.note;
    }
    expect(longestReply).toBeLessThan(20_000);
    expect(longestDelayMs, note).toBeLessThan(100);
    return `longest loop delay ${longestDelayMs.toFixed(0)} ms, longest reply ${longestReply} bytes${note}`;
  },
);

const limit = 1_024;

fault(
  'H04',
  'the limit of a body holds for every encoding',
  async ({ server }) => {
    const rss = () => memoryMb(server.child.pid, 'VmRSS');
    const before = rss();
    const ofSize = (bytes: number) => loan.padEnd(bytes, ' ');
    const send = async (body: string | Uint8Array, ...headers: string[]) =>
      (await sendRaw(server.port, rawPost('/predict', body, headers))).status;
    const sizes = [await send(ofSize(limit - 1)), await send(ofSize(limit)), await send(ofSize(limit + 1))];
    expect(sizes).toEqual([200, 200, 413]);
    const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    expect(await send(chunked(ofSize(limit)), 'Transfer-Encoding: chunked')).toBe(200);
    expect(await send(chunked(ofSize(limit + 1)), 'Transfer-Encoding: chunked')).toBe(413);
    const bomb = gzipSync(Buffer.alloc(500_000));
    expect(await send(bomb, 'Content-Encoding: gzip')).toBe(415);
    expect(await send(gzipSync(gzipSync(loan)), 'Content-Encoding: gzip, gzip')).toBe(415);
    for (const coding of ['br', 'deflate', 'zstd', 'x-junk', 'identity, gzip']) {
      expect(await send(loan, `Content-Encoding: ${coding}`), coding).toBe(415);
    }
    expect(await send(loan, 'Content-Encoding: identity')).toBe(200);
    const asked = ['Expect: 100-continue', `Content-Length: ${limit + 1}`];
    const started = performance.now();
    // No body is sent: 413 must come first, without 100 Continue.
    expect(await send('', ...asked)).toBe(413);
    expect(performance.now() - started).toBeLessThan(1_000);
    const grown = rss() - before;
    expect(grown).toBeLessThan(50);
    return `statuses ${sizes.join(', ')}; RSS delta ${grown.toFixed(1)} MB`;
  },
  { environment: { BODY_LIMIT_BYTES: String(limit) } },
);

fault(
  'H05',
  'a body that is accepted as JSON is fully checked, and other types are refused',
  async ({ server }) => {
    const forms: [string[], number][] = [
      [['content-type:'], 415],
      [['Content-Type: text/plain'], 415],
      [['Content-Type: application/json', 'Content-Type: text/plain'], 400],
      [['Content-Type: application/json\t'], 400],
      [['Content-Type: application/json; charset=utf-16'], 415],
      [['Content-Type: application/json; charset=latin1'], 415],
      [['Content-Type: junk'], 415],
      [['Content-Type: application/jsonp'], 415],
      [['Content-Type: application/xml+json'], 415],
      [['Content-Type: multipart/form-data; boundary=application/json'], 415],
      [['Content-Type: APPLICATION/JSON'], 400],
      [['Content-Type: application/json; charset="utf-8"; x=y'], 400],
    ];
    let unchecked = 0;
    for (const [headers, expected] of forms) {
      const { status } = await sendRaw(server.port, rawPost('/predict', '{"age":1}', headers));
      if (status === 200) unchecked += 1;
      expect([expected, 415], headers.join()).toContain(status);
    }
    expect(unchecked).toBe(0);
    return `unchecked 200: ${unchecked} of ${forms.length}`;
  },
);
