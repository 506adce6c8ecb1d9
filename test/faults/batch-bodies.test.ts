import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { memoryMb } from '../helpers/processes.js';
import { fault } from './instruments/fault.js';
import { subtractMachineDelay } from './instruments/machine-delay.js';
import { rawPost, sendRaw } from './instruments/raw-http.js';

// H03 and H04 for the bodies of batches: a row each, and compressed.

const path = '/models/credit-risk/predict/batch';
const rows: Readonly<Record<string, string>> = {
  deep: '['.repeat(450_000) + ']'.repeat(450_000),
  deepObjects: `${'{"a":'.repeat(450_000)}1${'}'.repeat(450_000)}`,
  keys: `{${Array.from({ length: 60_000 }, (_, k) => `"key_${k}":1`).join()}}`,
  manyKeys: `{${Array.from({ length: 600_000 }, (_, k) => `"k${k}":1`).join()}}`,
  number: `{"age":${'9'.repeat(1_000_000)},"income":1,"credit_score":300}`,
  longKey: `{"${'k'.repeat(1_000_000)}":1}`,
  longText: `{"age":"${'x'.repeat(1_000_000)}"}`,
};
const sound = '{"age":42,"income":51234.5,"credit_score":688}';

fault(
  'H03',
  'a huge or deep row of a batch fails alone as a line, refuses the body as JSON, and holds nobody up',
  async ({ server, measureMachineDelay }) => {
    let [longestReply, longestDelayMs, note] = [0, 0, ''];
    const send = async (name: string, type: string, body: string) => {
      // Reading the metric resets its maximum.
      await readMetric(server.url, 'nodejs_eventloop_lag_max_seconds');
      let answer: Awaited<ReturnType<typeof sendRaw>> | undefined;
      const excusedMs = await measureMachineDelay(async () => {
        answer = await sendRaw(
          server.port,
          rawPost(path, body, [`Content-Type: ${type}`, 'Prefer: wait=30']),
          10_000,
        );
      });
      const delayMs = (await readMetric(server.url, 'nodejs_eventloop_lag_max_seconds')) * 1_000;
      const judged = subtractMachineDelay(name, delayMs, excusedMs);
      longestDelayMs = Math.max(longestDelayMs, judged.ownMs);
      note += judged.note;
      longestReply = Math.max(longestReply, answer?.body.length ?? 0);
      return { status: answer?.status, body: JSON.parse(answer?.body ?? '{}') };
    };
    for (const [name, row] of Object.entries(rows)) {
      const lines = await send(name, 'application/x-ndjson', `${sound}\n${row}\n${sound}\n`);
      expect([lines.status, lines.body.completed_instances, lines.body.failed_instances], name).toEqual([
        200, 2, 1,
      ]);
      expect(lines.body.results[1].error.code, name).toMatch(/^invalid_/);
      const whole = await send(name, 'application/json', `{"instances":[${sound},${row}]}`);
      // A row that is JSON, and does not fit the model, fails alone in this form, too.
      expect([whole.status, whole.body.failed_instances], name).toEqual(
        name.startsWith('deep') ? [400, undefined] : [200, 1],
      );
    }
    const field = 'x'.repeat(10_000_000);
    const csv = await send('csv', 'text/csv', `age,income,credit_score\n42,1,688\n"${field}",1,688\n`);
    expect([csv.status, csv.body.code]).toEqual([413, 'body_too_large']);
    const quoted = await send(
      'quoted',
      'text/csv',
      `age,income,credit_score\n"${'""'.repeat(3_000_000)}",1,688\n`,
    );
    expect([quoted.status, quoted.body.failed_instances]).toEqual([200, 1]);
    expect(longestReply).toBeLessThan(30_000);
    expect(longestDelayMs, note).toBeLessThan(100);
    return `longest loop delay ${longestDelayMs.toFixed(0)} ms, longest reply ${longestReply} bytes${note}`;
  },
  { timeoutMs: 120_000 },
);

const limit = 65_536;
fault(
  'H04',
  'the limits of a batch hold for every encoding, after it is unpacked',
  async ({ server }) => {
    const before = memoryMb(server.child.pid, 'VmRSS');
    const ofSize = (bytes: number) => `${sound}\n`.padEnd(bytes, '\n');
    const send = async (body: string | Uint8Array, ...headers: string[]) => {
      const all = ['Content-Type: application/x-ndjson', 'Prefer: wait=30', ...headers];
      return (await sendRaw(server.port, rawPost(path, body, all), 10_000)).status;
    };
    const sizes = [await send(ofSize(limit)), await send(ofSize(limit + 1))];
    const packed = [
      await send(gzipSync(ofSize(limit)), 'Content-Encoding: gzip'),
      await send(gzipSync(ofSize(limit + 1)), 'Content-Encoding: gzip'),
      await send(gzipSync(Buffer.alloc(200_000_000, '\n')), 'Content-Encoding: gzip'),
    ];
    expect([sizes, packed]).toEqual([
      [200, 413],
      [200, 413, 413],
    ]);
    for (const coding of ['gzip, gzip', 'br', 'deflate', 'zstd', 'x-junk', 'identity, gzip'])
      expect(await send(gzipSync(gzipSync(ofSize(100))), `Content-Encoding: ${coding}`), coding).toBe(415);
    expect(await send('no gzip', 'Content-Encoding: gzip')).toBe(400);
    expect(await send('', 'Expect: 100-continue', `Content-Length: ${limit + 1}`)).toBe(413);
    const grown = memoryMb(server.child.pid, 'VmRSS') - before;
    expect(grown).toBeLessThan(80);
    return `statuses ${[...sizes, ...packed].join(', ')}; RSS delta ${grown.toFixed(1)} MB`;
  },
  { environment: { BATCH_BODY_LIMIT_BYTES: String(limit) }, timeoutMs: 120_000 },
);
