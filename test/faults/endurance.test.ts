import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { memoryMb } from '../helpers/processes.js';
import { startRedis } from '../helpers/redis.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

const seconds = isFullSize ? 900 : 60;
const clients = 8;
const flapEverySeconds = seconds / 4;
const folder = mkdtempSync(join(tmpdir(), 'sardonyx-endurance-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Sample {
  readonly atSeconds: number;
  /** Without the heap. */
  readonly nativeMb: number;
  readonly heapMb: number;
  readonly descriptors: number;
  readonly timers: number;
}

/** Least squares: how much a value grows in a minute. */
function slopeOf(samples: readonly Sample[], read: (sample: Sample) => number): number {
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, it) => sum + of(it), 0) / samples.length;
  const [x, y] = [mean((it) => it.atSeconds), mean(read)];
  const above = samples.reduce((sum, it) => sum + (it.atSeconds - x) * (read(it) - y), 0);
  const below = samples.reduce((sum, it) => sum + (it.atSeconds - x) ** 2, 0);
  return (60 * above) / below;
}

/**
 * How much the heap grows in a minute: what is left after a collection, since garbage fills the heap between two of
 * them.
 */
function heapSlope(samples: readonly Sample[]): number {
  const middle = samples.length / 2;
  const halves = [samples.slice(0, middle), samples.slice(middle)];
  const [first, last] = halves.map((half) =>
    half.reduce((least, it) => (it.heapMb < least.heapMb ? it : least)),
  ) as [Sample, Sample];
  return (60 * (last.heapMb - first.heapMb)) / (last.atSeconds - first.atSeconds);
}

faultWithoutServer(
  'O04',
  'good, bad and aborted requests, feedback, batches, reloads and a Redis that comes and goes leave nothing behind',
  async () => {
    let redis = await startRedis();
    await using server = await startServerProcess({
      REDIS_URL: redis.url,
      CACHE: 'tiered',
      PREDICTION_LOG: join(folder, 'predictions.ndjson'),
      PREDICTION_LOG_MAX_BYTES: '1048576',
      PREDICTION_LOG_KEEP: '3',
      STATE_DIR: join(folder, 'state'),
      FEEDBACK_MAX_PREDICTIONS: '1000',
      DRIFT_WINDOW_ROWS: '1000',
      RATE_LIMIT_MAX: '1000000',
      // The heap is collected several times even in the small size.
      NODE_OPTIONS: '--max-old-space-size=96',
    });
    const { url, port } = server;
    const pid = server.child.pid as number;
    const statuses = new Map<number, number>();
    const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const post = async (path: string, body: unknown): Promise<unknown> => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${url}${path}`, { method: 'POST', body: text, headers });
      count(reply.status);
      return await reply.json();
    };
    let [isOver, n] = [false, 0];
    const client = async (): Promise<void> => {
      while (!isOver) {
        n += 1;
        const loan = { age: 18 + (n % 80), income: 20_000 + n, credit_score: 300 + (n % 500) };
        const answer = (await post('/predict', loan)) as { prediction_id?: string };
        if (n % 5 === 0) await post('/feedback', { prediction_id: answer.prediction_id, actual: n % 2 });
        if (n % 7 === 0) await post('/predict', { ...loan, age: 'old' });
        if (n % 11 === 0) await post('/predict', '{"age": 4');
        if (n % 13 === 0) await abort(port);
        if (n % 50 === 0) await (await fetch(`${url}/models/credit-risk/drift?distributions=true`)).text();
        if (n % 97 === 0) await post('/models/credit-risk/predict/batch', { instances: [loan, loan] });
      }
    };
    const running = Array.from({ length: clients }, client);
    const samples: Sample[] = [];
    const started = performance.now();
    let nextFlap = flapEverySeconds;
    try {
      for (;;) {
        await pause(1_000);
        const atSeconds = (performance.now() - started) / 1_000;
        if (atSeconds > seconds) break;
        if (atSeconds > nextFlap) {
          nextFlap += flapEverySeconds;
          const { port: at } = redis;
          await redis.stop();
          process.kill(pid, 'SIGHUP');
          await pause(1_000);
          redis = await startRedis({ port: at });
        }
        // The first third fills caches, windows and buffers, and compiles.
        if (atSeconds < seconds / 3) continue;
        const metrics = await (await fetch(`${url}/metrics`)).text();
        const read = (series: string) =>
          Number(metrics.split(`\n${series} `)[1]?.split('\n', 1)[0] ?? Number.NaN);
        const timers = read('nodejs_active_resources{type="Timeout"}');
        const nativeMb = memoryMb(pid, 'VmRSS') - read('nodejs_heap_size_total_bytes') / 1_048_576;
        const heapMb = read('nodejs_heap_size_used_bytes') / 1_048_576;
        const descriptors = readdirSync(`/proc/${pid}/fd`).length;
        samples.push({ atSeconds, nativeMb, heapMb, descriptors, timers });
      }
    } finally {
      isOver = true;
      await Promise.all(running);
      await redis[Symbol.asyncDispose]();
    }
    const slopes = {
      native: slopeOf(samples, (it) => it.nativeMb),
      heap: heapSlope(samples),
      descriptors: slopeOf(samples, (it) => it.descriptors),
      timers: slopeOf(samples, (it) => it.timers),
    };
    const failed = [...statuses].filter(([status]) => status >= 500).reduce((sum, [, it]) => sum + it, 0);
    const all = [...statuses.values()].reduce((sum, it) => sum + it, 0);
    const figure = `${all} answers in ${seconds} s, 5xx ${failed}; in a minute ${slopes.heap.toFixed(1)} MB of heap, ${slopes.native.toFixed(1)} MB beside it, ${slopes.descriptors.toFixed(1)} descriptors, ${slopes.timers.toFixed(1)} timers${sizeNote}`;
    expect(all, figure).toBeGreaterThan(20 * seconds);
    // Feedback says 503 `feedback_unavailable` while Redis is away.
    expect(failed, figure).toBeLessThan(0.05 * all);
    expect(
      [...statuses.keys()].filter((it) => it >= 500 && it !== 503),
      figure,
    ).toEqual([]);
    // A leak of 1 kB a request would be 30 MB a minute and more.
    expect(slopes.heap, figure).toBeLessThan(isFullSize ? 2 : 20);
    expect(slopes.native, figure).toBeLessThan(isFullSize ? 2 : 20);
    expect(slopes.descriptors, figure).toBeLessThan(isFullSize ? 1 : 15);
    expect(slopes.timers, figure).toBeLessThan(isFullSize ? 1 : 15);
    return figure;
  },
  (seconds + 60) * 1_000,
);

/** Sends half of a request, and closes the connection. */
function abort(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        'POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"age"',
      );
      socket.destroy();
    });
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
  });
}
