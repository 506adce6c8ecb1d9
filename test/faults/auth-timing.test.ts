import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { expect } from 'vitest';
import { KeyRing } from '../../src/auth/key-ring.js';
import { toApiKey } from '../../src/auth/keys-file.js';
import { entry, secretOf, withKey } from '../helpers/keys.js';
import { cpuMs } from '../helpers/processes.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { floodWithBadKeys } from './instruments/bad-key-flood.js';
import { startGoodClient } from './instruments/clients.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { mannWhitneyP, median } from './instruments/mann-whitney.js';

const names = Array.from({ length: 100 }, (_, k) => `client-${k}`);
const keys = names.map((name) => entry(name));
const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const options = {
  environment: { API_KEYS: JSON.stringify(keys) },
  golden: {
    path: '/models/credit-risk/predict',
    body: JSON.parse(loan),
    headers: withKey('client-0'),
  },
  timeoutMs: 120_000,
};

const kinds = ['unknown', 'wrong', 'near'] as const;
type Kind = (typeof kinds)[number];

/** A wrong key. It differs from a real one in full (unknown), in its second half (wrong) or in one character (near). */
function createText(kind: Kind): string {
  const sound = secretOf(names[Math.floor(Math.random() * names.length)] as string);
  const other = `sdx_${randomBytes(32).toString('base64url')}`;
  if (kind === 'unknown') return other;
  return kind === 'wrong' ? sound.slice(0, 24) + other.slice(24) : `${sound.slice(0, -1)}y`;
}

const createTexts = (count: number): { kind: Kind; text: string }[] =>
  Array.from({ length: count }, () => [...kinds].sort(() => Math.random() - 0.5))
    .flat()
    // As from the wire: a fresh string, whose hash V8 has not computed yet.
    .map((kind) => ({ kind, text: Buffer.from(createText(kind)).toString('latin1') }));

function describeTimes(times: Readonly<Record<Kind, readonly number[]>>, unit: string, digits: number) {
  const medians = kinds.map((kind) => median(times[kind]));
  const ps = [
    mannWhitneyP(times.unknown, times.wrong),
    mannWhitneyP(times.unknown, times.near),
    mannWhitneyP(times.wrong, times.near),
  ];
  const listed = kinds.map((kind, k) => `${kind} ${medians[k]?.toFixed(digits)}`).join(', ');
  return {
    spread: Math.max(...medians) / Math.min(...medians) - 1,
    text: `median ${unit} ${listed}; p ${ps.map((p) => p.toPrecision(2)).join(', ')}`,
  };
}

faultWithoutServer(
  'A02',
  'unknown, wrong and nearly right keys take the same time, in process',
  async () => {
    const ring = new KeyRing(keys.map(toApiKey));
    for (const name of names) ring.verify(secretOf(name));
    const ask = (text: string) => ring.recall(text) ?? ring.verify(text);
    for (const { text } of createTexts(5_000)) ask(text);
    const times: Record<Kind, number[]> = { unknown: [], wrong: [], near: [] };
    for (const { kind, text } of createTexts(100_000)) {
      const started = process.hrtime.bigint();
      const found = ask(text);
      times[kind].push(Number(process.hrtime.bigint() - started) / 1_000);
      if (found !== undefined) throw new Error('a wrong key was found');
    }
    const { spread, text } = describeTimes(times, 'µs', 3);
    expect(spread, text).toBeLessThan(0.05);
    return `10^5 each: ${text}`;
  },
  120_000,
);

fault(
  'A02',
  'unknown, wrong and nearly right keys take the same time over HTTP',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    const perAddress = 6;
    const addresses = isFullSize ? 1_000 : 150;
    const times: Record<Kind, number[]> = { unknown: [], wrong: [], near: [] };
    const codes: Record<string, number> = {};
    for (let k = 0; k < addresses; k += 1) {
      const localAddress = `127.2.${k >> 8}.${k & 255}`;
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      // The first request opens the connection.
      await ask(server, agent, localAddress, 'sdx_first');
      for (const { kind, text } of createTexts(perAddress)) {
        const { ms, status } = await ask(server, agent, localAddress, text);
        times[kind].push(ms);
        codes[status] = (codes[status] ?? 0) + 1;
      }
      agent.destroy();
    }
    expect(codes).toEqual({ 403: 3 * perAddress * addresses });
    const { text } = describeTimes(times, 'ms', 3);
    return `${perAddress * addresses} each: ${text}${sizeNote}`;
  },
  options,
);

fault(
  'A02',
  '10^4 wrong keys a second from one address are refused, and good keys from there are answered',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    const seconds = isFullSize ? 30 : 3;
    const measureGood = async (during: () => Promise<unknown>) => {
      const client = startGoodClient(server, '/predict', loan, { headers: withKey('client-1') });
      await during();
      return client.stop();
    };
    const pause = () => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    await measureGood(() => new Promise((resolve) => setTimeout(resolve, 500)));
    const before = await measureGood(pause);
    const cpuBefore = cpuMs(server.child.pid as number);
    let flood: Awaited<ReturnType<typeof floodWithBadKeys>> | undefined;
    const during = await measureGood(async () => {
      flood = await floodWithBadKeys(server, { perSecond: 10_000, seconds, connections: 64 });
    });
    const cpu = cpuMs(server.child.pid as number) - cpuBefore;
    if (flood === undefined) throw new Error('there was no flood');
    expect([before.failed, during.failed], 'good clients that failed').toEqual([0, 0]);
    const { 403: invalid = 0, 429: limited = 0, ...others } = flood.statuses;
    expect(others).toEqual({});
    // The limit is 20 a minute, and the full size takes up to two windows.
    expect(invalid).toBeLessThanOrEqual(isFullSize ? 40 : 20);
    expect(limited).toBe(flood.sent - invalid);
    // A good key that was not used before is accepted too.
    const agent = new Agent();
    expect((await ask(server, agent, '127.0.0.1', secretOf('client-99'))).status).toBe(200);
    return `${flood.perSecond.toFixed(0)} wrong keys/s: ${invalid} of ${flood.sent} got 403, all others 429, ${((cpu * 1_000) / flood.sent).toFixed(0)} µs of the server each; good client failed 0 of ${during.asked}, p99 ${before.p99.toFixed(1)} ms before and ${during.p99.toFixed(1)} ms during${sizeNote}`;
  },
  options,
);

function ask(server: ServerProcess, agent: Agent, localAddress: string, key: string) {
  const started = performance.now();
  return new Promise<{ ms: number; status: number }>((resolve, reject) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/json', 'content-length': loan.length };
    const init = { port: server.port, host: '127.0.0.1', method: 'POST', path: '/predict' };
    const sent = request({ ...init, agent, localAddress, headers }, (response) => {
      response.resume().on('end', () => {
        resolve({ ms: performance.now() - started, status: response.statusCode ?? 0 });
      });
    });
    sent.on('error', reject);
    sent.end(loan);
  });
}
