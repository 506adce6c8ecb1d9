import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, expect } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { slow } from '../helpers/onnx-models.js';
import { childrenOf } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { countDescriptors, cpuMs, errorLines, isFullSize, sizeNote, waitForDescriptors } from './clients.js';
import { fault } from './harness.js';
import { serving } from './registry-under-fault.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const post = `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${loan.length}\r\n\r\n`;
const file = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n';

/** What a client has sent when it leaves, and what it waits for before it does. */
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
  'lives on when clients leave, at whatever moment',
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
  'lives on when a client pipelines many requests and resets',
  async ({ server, expectBlocked }) => {
    const count = isFullSize ? 10_000 : 1_000;
    // What one read brought in is worked off before anything else is looked at, by code that is still cold.
    expectBlocked();
    await settle();
    const before = countDescriptors(server);
    const bursts: readonly (readonly [string, number])[] = [
      [post + loan, count],
      ['GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n', count],
      // Each opens a file, most of which is left unsent.
      [file, count / 20],
    ];
    let left = 0;
    for (const [bytes, times] of bursts) {
      for (const waitMs of [0, 5, 50]) {
        const socket = await open(server.port);
        socket.write(bytes.repeat(times));
        await new Promise((resolve) => setTimeout(resolve, waitMs));
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

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
folder.addVersion('patient', '1', {
  manifest: {
    task: 'regression',
    features: [{ name: 'x', type: 'number', example: 1 }],
    runtime: { executor: 'isolated', timeoutMs: 60_000, maxBatchRows: 1 },
  },
  model: slow(),
});

fault(
  'H08',
  'drops the rows of clients that leave while they wait for a run, and counts them',
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
    const ask = async (x: number) => {
      const response = await fetch(`${server.url}/models/patient/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ x }),
      });
      await response.arrayBuffer();
      return response.status;
    };
    const costMs = 2_000;
    const child = Math.min(...childrenOf(server.child.pid as number, 'patient/1'));
    const idle = cpuMs(child);
    expect(await ask(costMs)).toBe(200);
    const rowMs = cpuMs(child) - idle;
    expect(rowMs, 'measured at the child that runs').toBeGreaterThan(50);
    const cpuBefore = cpuMs(child);
    const busy = ask(10 * costMs);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const sockets: Socket[] = [];
    for (let k = 0; k < clients; k += 1) {
      const socket = await open(server.port);
      socket.write(send(costMs));
      sockets.push(socket);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(cpuMs(child) - cpuBefore, 'the run that they wait behind goes on').toBeLessThan(9 * rowMs);
    sockets.forEach((socket, k) => {
      if (k % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    });
    expect(await busy).toBe(200);
    expect(await ask(1)).toBe(200);
    const dropped = await count('client_closed');
    const ok = await count('ok');
    const surplusMs = cpuMs(child) - cpuBefore - 10 * rowMs;
    expect(ok, 'answered: the measure, the long one, the last').toBe(3);
    expect(dropped).toBe(clients);
    expect(surplusMs, `ms of the processor too many; a row takes ${rowMs}`).toBeLessThan(5 * rowMs);
    const ran = Math.max(0, Math.floor(surplusMs / rowMs));
    return `runs after leaving ${ran} by the child's processor time, predictions_total{status="client_closed"} ${dropped} of ${clients} clients that left the queue${sizeNote}`;
  },
  serving(folder),
);

async function leave(
  port: number,
  bytes: string,
  until: string | undefined,
  byReset: boolean,
): Promise<void> {
  const socket = await open(port);
  if (bytes !== '') await new Promise((resolve) => socket.write(bytes, resolve));
  if (until !== undefined) await once(socket, until);
  if (byReset) socket.resetAndDestroy();
  else socket.destroy();
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

/** The probe connects, and what the harness asked before has been closed. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 300));
