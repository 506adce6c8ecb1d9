import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { askHttps } from '../helpers/ask-https.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';

export interface FaultContext {
  readonly server: ServerProcess;
  /** Leaves out the check that /health/live answered in time: for rows that block or end the process themselves. */
  expectBlocked(): void;
}

interface Golden {
  readonly path: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FaultOptions {
  /** Environment of the server under fault; the sample models unless MODELS_DIR says otherwise. */
  readonly environment?: Record<string, string>;
  /** A path and body whose answer must be the same to the last bit before and after; none for no check. */
  readonly golden?: Golden | undefined;
  readonly timeoutMs?: number;
}

const sampleGolden = {
  path: '/models/credit-risk/predict',
  body: { age: 42, income: 51234.5, credit_score: 688 },
};
const longestHealthMs = 100;

/**
 * One row of the faults page: a real server process, something bad done to it, and a figure.
 * `inflict` asserts what must happen and gives the figure; it must have made at least one attempt.
 * Beside it: the process lives, /health/live answered 200 within 100 ms throughout, and a golden
 * prediction is still the same to the last bit.
 */
export function fault(
  id: string,
  title: string,
  inflict: (context: FaultContext) => Promise<string>,
  options: FaultOptions = {},
): void {
  const golden = 'golden' in options ? options.golden : sampleGolden;
  test(`${id} ${title}`, { timeout: options.timeoutMs ?? 60_000 }, async ({ task }) => {
    await using server = await startServerProcess({ ...options.environment });
    const before = golden && (await predictStable(server, golden));
    const probe = startProbe(server.url);
    let isBlocked = false;
    const figure = await inflict({
      server,
      expectBlocked: () => {
        isBlocked = true;
      },
    });
    const { longestMs, failed, answered } = await probe.stop();
    expect(figure, 'a row must report a figure').not.toBe('');
    task.meta.figure = figure;
    expect(server.child.exitCode, 'the process lives').toBe(null);
    expect(server.child.signalCode).toBe(null);
    if (!isBlocked) {
      expect(answered, 'the probe asked').toBeGreaterThan(0);
      expect(failed, 'failed probes of /health/live').toBe(0);
      expect(longestMs, 'slowest probe of /health/live').toBeLessThan(longestHealthMs);
    }
    if (golden !== undefined) expect(await predictStable(server, golden)).toBe(before);
  });
}

/** A row whose subject is not a running server: the figure alone is taken down. */
export function faultWithoutServer(
  id: string,
  title: string,
  inflict: () => Promise<string>,
  timeoutMs = 60_000,
): void {
  test(`${id} ${title}`, { timeout: timeoutMs }, async ({ task }) => {
    const figure = await inflict();
    expect(figure, 'a row must report a figure').not.toBe('');
    task.meta.figure = figure;
  });
}

declare module 'vitest' {
  interface TaskMeta {
    figure?: string;
  }
}

/** The answer without its id, which differs each time. */
async function predictStable(server: ServerProcess, { path, body, headers }: Golden): Promise<string> {
  const { status, text } = await askHttps(server.url + path, { body, headers: headers ?? {} });
  expect(status, text).toBe(200);
  return text.replace(/,"prediction_id":"[^"]+"/, '');
}

const probeSource = `
const { parentPort, workerData } = require('node:worker_threads');
const http = require(workerData.startsWith('https:') ? 'node:https' : 'node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
let longestMs = 0, failed = 0, answered = 0, stopping = false;
function ask() {
  const started = performance.now();
  const request = http.get(workerData + '/health/live', { agent }, (response) => {
    response.resume();
    response.on('end', () => {
      // The first over TLS is mostly this thread's own handshake.
      if (answered > 0 || http.Agent !== require('node:https').Agent) longestMs = Math.max(longestMs, performance.now() - started);
      answered += 1;
      if (response.statusCode !== 200) failed += 1;
      next();
    });
  });
  request.on('error', () => { failed += 1; next(); });
}
function next() {
  if (stopping) parentPort.postMessage({ longestMs, failed, answered });
  else setTimeout(ask, 20);
}
parentPort.on('message', () => { stopping = true; });
ask();
`;

/** Asks /health/live every 20 ms from a thread of its own, so that a busy test does not look like a slow server. */
function startProbe(url: string) {
  const worker = new Worker(probeSource, { eval: true, workerData: url });
  return {
    async stop(): Promise<{ longestMs: number; failed: number; answered: number }> {
      const result = new Promise<{ longestMs: number; failed: number; answered: number }>(
        (resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        },
      );
      worker.postMessage('stop');
      try {
        return await result;
      } finally {
        await worker.terminate();
      }
    },
  };
}
