import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { fakeClock, noFakeClock, provideFakeClock } from '../helpers/fake-clock.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { holdClient } from './instruments/clients.js';
import { faultWithoutServer } from './instruments/fault.js';
import { createPlainRegistry, endless } from './instruments/plain-registry.js';

const library = provideFakeClock();

const folder = createPlainRegistry({ runaway: { timeoutMs: 1_000 } });
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-clock-'));
afterAll(() => rmSync(temp, { recursive: true }));
const limits = { headers: 1_000, request: 1_500, keepAlive: 1_000 };
const environment = {
  MODELS_DIR: folder.path,
  DEFAULT_MODEL: 'plain',
  HEADERS_TIMEOUT_MS: String(limits.headers),
  REQUEST_TIMEOUT_MS: String(limits.request),
  KEEP_ALIVE_TIMEOUT_MS: String(limits.keepAlive),
};
/** Node adds a second to the keep-alive timeout; the rest is for a busy machine. */
const lateMs = 2_000;

if (library === undefined) {
  test.skip(`S05 every time limit holds while the clock jumps: ${noFakeClock}`, () => undefined);
} else {
  faultWithoutServer(
    'S05',
    'every time limit holds while the clock jumps forward and back by an hour',
    async () => {
      const clock = join(temp, 'clock');
      const setClock = (offset: string) => writeFileSync(clock, offset);
      setClock('+0');
      await using server = await startServerProcess({
        ...environment,
        ...fakeClock(library, { FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' }),
      });
      const jumps: [string, number][] = [
        ['+1h', 3_600],
        ['-1h', -3_600],
        ['+0', 0],
      ];
      let wrong = 0;
      let attempts = 0;
      for (const [offset, seconds] of jumps) {
        const expiries = startExpiries(server);
        await pause(300);
        setClock(offset);
        for (const { name, limitMs, ms } of await Promise.all(expiries)) {
          const isRight = ms > limitMs - 50 && ms < limitMs + lateMs;
          attempts += 1;
          if (!isRight) wrong += 1;
          expect(isRight, `${name} after ${ms.toFixed(0)} ms, limit ${limitMs}, clock ${offset}`).toBe(true);
        }
        // The Date header proves that the server's clock did jump.
        const date = (await fetch(`${server.url}/health/live`)).headers.get('date') ?? '';
        const drift = (Date.parse(date) - Date.now()) / 1_000;
        expect(Math.abs(drift - seconds), `the clock of the server is off by ${drift} s`).toBeLessThan(30);
      }
      expect(server.child.exitCode).toBe(null);
      return `wrong expiries ${wrong} of ${attempts}, while the clock jumped by 1 h three times`;
    },
  );
}

interface Expiry {
  readonly name: string;
  readonly limitMs: number;
  readonly ms: number;
}

/** Starts one wait for each time limit: a run, the headers, a body, an idle connection. */
function startExpiries(server: ServerProcess): readonly Promise<Expiry>[] {
  const started = performance.now();
  const since = (name: string, limitMs: number): Expiry => ({
    name,
    limitMs,
    ms: performance.now() - started,
  });
  const expectText = async (bytes: string, code: string, name: string, limitMs: number): Promise<Expiry> => {
    const client = holdClient(server.port, bytes);
    const { text } = await client.closed;
    client.socket.destroy();
    expect(text, name).toContain(`"code":"${code}"`);
    return since(name, limitMs);
  };
  const post = `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length:`;
  const run = async (): Promise<Expiry> => {
    const response = await fetch(`${server.url}/models/runaway/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ x: endless }),
    });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      504,
      'deadline_exceeded',
    ]);
    return since('run', 1_000);
  };
  const idle = async (): Promise<Expiry> => {
    const client = holdClient(server.port, `${post} 7\r\n\r\n{"x":1}`);
    const { text } = await client.closed;
    client.socket.destroy();
    expect(text).toContain('HTTP/1.1 200');
    return since('idle connection', limits.keepAlive);
  };
  return [
    run(),
    expectText('GET /health HTTP/1.1\r\nHost: ', 'request_timeout', 'headers', limits.headers),
    expectText(`${post} 7\r\n\r\n{"x"`, 'request_timeout', 'body', limits.request),
    idle(),
  ];
}

faultWithoutServer(
  'S05',
  'the server starts and predicts in any time zone, also while daylight saving ends',
  async () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'No/Where'];
    // One second before the clocks in Berlin and New York go back, which happens during the start.
    const moments = library === undefined ? [undefined] : ['2026-10-25 00:59:59', '2026-11-01 05:59:59'];
    let answered = 0;
    for (const zone of zones) {
      for (const moment of moments) {
        await using server = await startServerProcess({
          ...environment,
          TZ: zone,
          ...(moment !== undefined && fakeClock(library as string, { FAKETIME: `@${toZone(moment, zone)}` })),
        });
        const response = await fetch(`${server.url}/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"x":1}',
        });
        expect(response.status, `${zone} ${moment}`).toBe(200);
        answered += 1;
      }
    }
    return `answered ${answered} of ${zones.length * moments.length} starts${library === undefined ? `, none at a change of daylight saving: ${noFakeClock}` : ''}`;
  },
  240_000,
);

/** libfaketime reads a moment in the time zone of the process. */
function toZone(moment: string, zone: string): string {
  const timeZone = zone === 'No/Where' ? 'UTC' : zone;
  const text = new Date(`${moment.replace(' ', 'T')}Z`).toLocaleString('sv-SE', { timeZone });
  return text;
}
