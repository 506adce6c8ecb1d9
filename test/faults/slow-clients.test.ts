import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { ask } from '../helpers/ask.js';
import { stringEcho } from '../helpers/onnx-models.js';
import { memoryMb } from '../helpers/processes.js';
import { startServerProcess } from '../helpers/server-process.js';
import {
  countDescriptors,
  errorLines,
  type HeldClient,
  holdClient,
  openSocket,
  startGoodClient,
  waitForDescriptors,
} from './instruments/clients.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { subtractMachineDelay } from './instruments/machine-delay.js';
import { faultPlainAndTls } from './instruments/plain-and-tls.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';
import { openSecure } from './instruments/raw-http.js';

const folder = createPlainRegistry();
folder.addVersion('texts', '1', { manifest: { task: 'tensor' }, model: stringEcho() });

const limits = { headers: 1_500, request: 3_000, response: 1_500 };
const environment = {
  MODELS_DIR: folder.path,
  DEFAULT_MODEL: 'plain',
  HEADERS_TIMEOUT_MS: String(limits.headers),
  REQUEST_TIMEOUT_MS: String(limits.request),
  RESPONSE_TIMEOUT_MS: String(limits.response),
};
const golden = plainGolden;
const goldenText = JSON.stringify(golden.body);
/** Tolerance for a busy machine. */
const lateMs = 1_500;

const post = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
const echoOf = (bytes: number) => {
  const body = `{"inputs":{"X":[["${'x'.repeat(bytes)}"]]}}`;
  return post('/models/texts/predict', body.length) + body;
};
// More than the system's buffers hold, in files that the server sends from memory.
const manyFiles = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(8);

faultPlainAndTls(
  'H07',
  'slow and half-sent requests are closed at their time limits, and stopped readers are destroyed',
  async ({ server, measureMachineDelay }, open) => {
    const count = isFullSize ? 2_000 : 200;
    const good = startGoodClient(server, golden.path, goldenText);
    // The probe and the good client connect first.
    await pause(600);
    const before = countDescriptors(server);
    const hold = async (share: number, bytes: string, reads = true): Promise<HeldClient[]> => {
      const clients: HeldClient[] = [];
      for (let k = 0; k < Math.ceil(count * share); k += 1) {
        clients.push(holdClient(server.port, bytes, reads, open === openSecure));
        if (k % 20 === 19) await pause(5);
      }
      return clients;
    };
    const silent = await hold(0.1, '');
    const slowHeaders = await hold(0.35, 'GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    const halfBodies = await hold(0.2, `${post('/predict', 100)}{"x":`);
    const slowBodies = await hold(0.2, `${post('/predict', 100_000)}{"x":`);
    const drip = setInterval(() => {
      for (const { socket } of [...slowHeaders, ...slowBodies]) if (!socket.destroyed) socket.write('1');
    }, 250);
    const stopped = await hold(0.1, manyFiles, false);
    // Two of them keep sending requests, which does not count as progress.
    const nagging = stopped.slice(0, 2);
    const nag = setInterval(() => {
      for (const { socket } of nagging)
        if (!socket.destroyed) socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    }, 250);
    const held = countDescriptors(server) - before;
    let note = '';
    const close = async (clients: readonly HeldClient[], limitMs: number): Promise<number> => {
      const closing = Promise.all(clients.map(({ closed }) => closed));
      const excusedMs = await measureMachineDelay(() => closing);
      const ends = await closing;
      for (const { text } of ends) expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
      const times = ends.map(({ ms }) => ms);
      expect(Math.min(...times)).toBeGreaterThan(limitMs - 50);
      const late = subtractMachineDelay('the limit', Math.max(...times), excusedMs, limitMs + lateMs);
      expect(late.ownMs).toBeLessThan(limitMs + lateMs);
      note += late.note;
      return Math.max(...times) / 1_000;
    };
    const seconds = [
      await close([...silent, ...slowHeaders], limits.headers),
      await close([...halfBodies, ...slowBodies], limits.request),
    ];
    // No client has closed its side, and the stopped readers cannot even see that the server has.
    const left = await waitForDescriptors(server, before, 2 * limits.response + 2_000 + lateMs);
    clearInterval(drip);
    clearInterval(nag);
    for (const { socket } of [...silent, ...slowHeaders, ...halfBodies, ...slowBodies, ...stopped]) {
      socket.destroy();
    }
    expect(left, 'descriptors left').toBe(0);
    expect(held, 'clients that were held at once').toBeGreaterThan(count / 2);
    expect(errorLines(server)).toEqual([]);
    const { p99, asked, failed } = await good.stop();
    expect(failed).toBe(0);
    const [headersS = 0, requestS = 0] = seconds.map((value) => value.toFixed(1));
    return `${count} clients: headers closed after ${headersS} s (limit ${limits.headers / 1_000}), bodies after ${requestS} s (limit ${limits.request / 1_000}), stopped readers destroyed ${stopped.length}, fds left ${left}, good client's p99 ${p99.toFixed(1)} ms of ${asked}, peak RSS ${memoryMb(server.child.pid, 'VmHWM').toFixed(0)} MB${note}${sizeNote}`;
  },
  { environment, golden, timeoutMs: 120_000 },
);

const largeBytes = 16_000_000;

fault(
  'H07',
  'stopped readers of a large answer are destroyed, and a slow reader keeps its connection',
  async ({ server, expectBlocked }) => {
    // A body of this size blocks the thread for longer than 100 ms.
    expectBlocked();
    // The probe connects first.
    await pause(300);
    const before = countDescriptors(server);
    const stopped = Array.from({ length: 3 }, () => holdClient(server.port, echoOf(largeBytes), false));
    const socket = await openSocket(server.port);
    socket.write(echoOf(largeBytes));
    const started = performance.now();
    const limit = 2 * limits.response;
    let bytes = 0;
    while (bytes < largeBytes) {
      // Reads slowly for twice the limit, then all at once.
      const isSlow = performance.now() < started + limit;
      bytes += readSome(socket, isSlow ? 150_000 : largeBytes);
      await pause(isSlow ? 50 : 5);
      expect(socket.destroyed, `cut after ${bytes} bytes`).toBe(false);
    }
    // Idle for longer than RESPONSE_TIMEOUT_MS, which does not apply to idle connections.
    await pause(limit + 500);
    expect(socket.destroyed).toBe(false);
    socket.write(`${post('/predict', 7)}{"x":1}`);
    socket.resume();
    const [chunk] = await once(socket, 'data');
    expect(String(chunk)).toContain('HTTP/1.1 200');
    expect(await waitForDescriptors(server, before + 1, 2_000), 'connections of stopped readers left').toBe(
      0,
    );
    for (const client of [...stopped, { socket }]) client.socket.destroy();
    return `answers of ${largeBytes / 1e6} MB at a limit of ${limits.response / 1_000} s: stopped readers destroyed ${stopped.length} of ${stopped.length}, slow reader cut 0 of 1`;
  },
  { environment: { ...environment, BODY_LIMIT_BYTES: '40000000' }, golden },
);

function readSome(socket: Socket, maxBytes: number): number {
  socket.pause();
  let bytes = 0;
  while (bytes < maxBytes) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) break;
    bytes += chunk.length;
  }
  return bytes;
}

faultWithoutServer(
  'H07',
  'a server with 256 descriptors survives more sockets, and recovers when they close',
  async () => {
    await using server = await startServerProcess(
      { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' },
      {
        under: ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh'],
      },
    );
    const good = startGoodClient(server, golden.path, goldenText);
    await pause(200);
    const before = countDescriptors(server);
    const clients = Array.from({ length: isFullSize ? 2_000 : 500 }, () => holdClient(server.port, ''));
    const deadline = performance.now() + 5_000;
    while (countDescriptors(server) < 250 && performance.now() < deadline) {
      await pause(20);
    }
    const reached = countDescriptors(server);
    expect(reached).toBeGreaterThan(240);
    // New connections are dropped now, existing ones are served.
    for (let k = 0; k < 50; k += 1) {
      clients.push(
        holdClient(server.port, 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n'),
      );
      await pause(10);
    }
    expect(server.child.exitCode, server.stdout.slice(-3).join('\n')).toBe(null);
    for (const { socket } of clients) socket.destroy();
    const left = await waitForDescriptors(server, before, 5_000);
    expect(left).toBe(0);
    expect((await ask(server.url, 'plain', goldenText)).status).toBe(200);
    const { p99, failed, asked } = await good.stop();
    expect(failed).toBe(0);
    return `${clients.length} sockets at ulimit -n 256: ${reached} descriptors, afterwards fds left ${left}, good client failed ${failed} of ${asked}, p99 ${p99.toFixed(1)} ms${sizeNote}`;
  },
);
