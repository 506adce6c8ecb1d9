import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { ask, readMetric } from '../helpers/ask.js';
import { childOf, cpuMs } from '../helpers/processes.js';
import { countDescriptors, errorLines, openSocket, waitForDescriptors } from './instruments/clients.js';
import { fault } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const post = `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${loan.length}\r\n\r\n`;
const file = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n';

/** What a client sends before it leaves, and the event that it waits for. */
const phases: Readonly<Record<string, { bytes: string; until?: string }>> = {
  'after connecting': { bytes: '' },
  'in the headers': { bytes: post.slice(0, 40) },
  'in the body': { bytes: post + loan.slice(0, 20) },
  'before the answer': { bytes: post + loan },
  'during the answer': { bytes: file, until: 'data' },
  'during one of several': { bytes: file.repeat(6), until: 'data' },
};

fault(
  'H08',
  'clients that leave at any moment cause no error and no leak',
  async ({ server }) => {
    const each = isFullSize ? 1_000 : 100;
    await settle();
    const before = countDescriptors(server);
    let left = 0;
    for (const [phase, { bytes, until }] of Object.entries(phases)) {
      for (let k = 0; k < each; k += 1) {
        await leave(server.port, bytes, until, k % 2 === 0);
        if (k % 10 === 9) expect(server.child.exitCode, phase).toBe(null);
      }
      left += await waitForDescriptors(server, before, 5_000);
    }
    const attempts = each * Object.keys(phases).length;
    expect(left, 'descriptors that are left').toBe(0);
    const errors = errorLines(server);
    expect(errors).toEqual([]);
    return `${attempts} clients left in ${Object.keys(phases).length} phases, half by RST: failed ${errors.length}, leaked fds ${left}${sizeNote}`;
  },
  { timeoutMs: 180_000 },
);

fault(
  'H08',
  'a client that pipelines many requests and resets causes no error and no leak',
  async ({ server }) => {
    const count = isFullSize ? 10_000 : 1_000;
    await settle();
    const before = countDescriptors(server);
    const bursts: readonly (readonly [string, number])[] = [
      [post + loan, count],
      ['GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n', count],
      // Most of each is left unsent.
      [file, count / 20],
    ];
    let left = 0;
    for (const [bytes, times] of bursts) {
      for (const waitMs of [0, 5, 50]) {
        const socket = await openSocket(server.port);
        socket.write(bytes.repeat(times));
        await pause(waitMs);
        socket.resetAndDestroy();
      }
      left += await waitForDescriptors(server, before, 10_000);
    }
    expect(left, 'descriptors that are left').toBe(0);
    const errors = errorLines(server);
    expect(errors).toEqual([]);
    return `6 times ${count} pipelined requests, 3 times ${count / 20} of a file, then RST: failed ${errors.length}, leaked fds ${left}${sizeNote}`;
  },
);

const folder = createPlainRegistry({
  patient: { executor: 'isolated', timeoutMs: 60_000, maxBatchRows: 1 },
});

fault(
  'H08',
  'rows of clients that leave the queue are dropped and counted',
  async ({ server }) => {
    const clients = isFullSize ? 1_000 : 20;
    const label = 'model="patient"';
    const count = (status: string) =>
      readMetric(server.url, 'predictions_total', `${label},model_version="1",status="${status}"`);
    const send = (x: number) => {
      const body = JSON.stringify({ x });
      const head = post.replace('/predict', '/models/patient/predict').replace(/\d+\r\n\r\n$/, '');
      return `${head}${body.length}\r\n\r\n${body}`;
    };
    const askOnce = async (x: number) => (await ask(server.url, 'patient', { x })).status;
    const costMs = 2_000;
    const busyRows = isFullSize ? 20 : 10;
    const child = childOf(server.child.pid as number, 'patient/1') as number;
    const idle = cpuMs(child);
    expect(await askOnce(costMs)).toBe(200);
    const rowMs = cpuMs(child) - idle;
    expect(rowMs, 'processor time of the child').toBeGreaterThan(50);
    const sockets: Socket[] = [];
    // Connected before the run, since a thousand connections take longer than it.
    for (let k = 0; k < clients; k += 1) sockets.push(await openSocket(server.port));
    const cpuBefore = cpuMs(child);
    const busy = askOnce(busyRows * costMs);
    await pause(50);
    for (const socket of sockets) socket.write(send(costMs));
    await pause(isFullSize ? 600 : 300);
    expect(cpuMs(child) - cpuBefore, 'the long run is still going on').toBeLessThan((busyRows - 1) * rowMs);
    sockets.forEach((socket, k) => {
      if (k % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    });
    expect(await busy).toBe(200);
    expect(await askOnce(1)).toBe(200);
    const dropped = await count('client_closed');
    const ok = await count('ok');
    const surplusMs = cpuMs(child) - cpuBefore - busyRows * rowMs;
    expect(ok, 'answered: the measured row, the long rows, the last row').toBe(3);
    expect(dropped).toBe(clients);
    expect(surplusMs, `ms of processor time too many; a row costs ${rowMs}`).toBeLessThan(5 * rowMs);
    const ran = Math.max(0, Math.floor(surplusMs / rowMs));
    return `runs after the client left ${ran} (by the child's processor time), predictions_total{status="client_closed"} ${dropped} of ${clients} clients that left the queue${sizeNote}`;
  },
  { environment: { MODELS_DIR: folder.path }, golden: plainGolden, timeoutMs: 120_000 },
);

async function leave(
  port: number,
  bytes: string,
  until: string | undefined,
  byReset: boolean,
): Promise<void> {
  const socket = await openSocket(port);
  if (bytes !== '') await new Promise((resolve) => socket.write(bytes, resolve));
  if (until !== undefined) await once(socket, until);
  if (byReset) socket.resetAndDestroy();
  else socket.destroy();
}

/** Waits until the probe is connected and the connection of the golden request is closed. */
const settle = () => pause(300);
