import { Worker } from 'node:worker_threads';
import type { ServerProcess } from '../../helpers/server-process.js';

export interface LoadOptions {
  readonly path: string;
  readonly body: unknown;
  readonly seconds: number;
  /** Open loop: requests a second, at fixed times. Without it: a closed loop of `clients` that wait for each answer. */
  readonly perSecond?: number;
  readonly clients?: number;
  /** The API key. */
  readonly key?: string;
  /** Open loop: how often a failed request is sent again, each time after 50 ms. */
  readonly retries?: number;
}

export interface LoadResult {
  readonly asked: number;
  readonly ok: number;
  /** Answers with 200 a second, of those that came within `seconds`. */
  readonly goodput: number;
  /** Requests by outcome: `ok`, the code of the problem, or the code of the socket's error. */
  readonly codes: Readonly<Record<string, number>>;
  /** In ms, from when a request was due until its answer. */
  readonly okP99: number;
  /** In ms, by `Server-Timing`: without the delays of the generator's own thread. */
  readonly serverP99: number;
  readonly refusedP99: number;
  readonly withoutRetryAfter: number;
}

const source = `
const { parentPort, workerData } = require('node:worker_threads');
const http = require('node:http');
const { port, path, body, seconds, perSecond, clients, retries, key } = workerData;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1024 });
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...(key !== undefined && { 'x-api-key': key }) };
const okTimes = [], serverTimes = [], refusedTimes = [], codes = {};
let asked = 0, inTime = 0, withoutRetryAfter = 0, pending = 0, isOver = false;
const began = performance.now();
const endsAt = began + seconds * 1000;
function send(due, again, then) {
  asked += 1; pending += 1;
  const settle = (code, ms, retryAfter) => {
    pending -= 1;
    codes[code] = (codes[code] ?? 0) + 1;
    if (code === 'ok') { okTimes.push(ms); if (performance.now() <= endsAt) inTime += 1; }
    else {
      const isRefused = code === 'overloaded' || code === 'rate_limited';
      if (isRefused) refusedTimes.push(ms);
      if (isRefused && !(Number(retryAfter) > 0)) withoutRetryAfter += 1;
      if (again > 0) { pending += 1; setTimeout(() => { pending -= 1; send(performance.now(), again - 1, then); }, 50); }
    }
    then?.();
    finish();
  };
  const request = http.request({ agent, port, host: '127.0.0.1', method: 'POST', path, headers }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
    response.on('end', () => {
      const code = response.statusCode === 200 ? 'ok' : JSON.parse(text).code;
      if (code === 'ok') {
        const durations = String(response.headers['server-timing']).match(/dur=[\\d.]+/g) ?? [];
        serverTimes.push(durations.reduce((sum, it) => sum + Number(it.slice(4)), 0));
      }
      settle(code, performance.now() - due, response.headers['retry-after']);
    });
  });
  request.on('error', (error) => settle(error.code ?? error.message, performance.now() - due));
  request.end(body);
}
const p99 = (times) => { times.sort((a, b) => a - b); return times.length === 0 ? 0 : times[Math.floor(times.length * 0.99)]; };
let isReported = false;
function finish() {
  if (!isOver || pending > 0 || isReported) return;
  isReported = true;
  parentPort.postMessage({
    asked, ok: okTimes.length, goodput: inTime / seconds, codes,
    okP99: p99(okTimes), serverP99: p99(serverTimes), refusedP99: p99(refusedTimes), withoutRetryAfter,
  });
}
if (perSecond === undefined) {
  const next = () => { if (performance.now() < endsAt) send(performance.now(), 0, next); else { isOver = true; } };
  for (let k = 0; k < clients; k += 1) next();
} else {
  let sent = 0;
  const tick = () => {
    const now = performance.now();
    for (;;) {
      const due = began + (sent * 1000) / perSecond;
      if (due > now || due > endsAt) break;
      sent += 1;
      send(due, retries ?? 0);
    }
    if (now < endsAt) setTimeout(tick, 1); else { isOver = true; finish(); }
  };
  tick();
}
`;

/** Sends requests from its own thread, so that a busy test does not look like a slow server. */
export async function runLoad(
  { port }: Pick<ServerProcess, 'port'>,
  options: LoadOptions,
): Promise<LoadResult> {
  const body = JSON.stringify(options.body);
  const worker = new Worker(source, { eval: true, workerData: { ...options, port, body } });
  try {
    return await new Promise<LoadResult>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}
