import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { readMetricText } from '../helpers/ask.js';
import { startGoodClient } from './instruments/clients.js';
import { faultPlainAndTls } from './instruments/plain-and-tls.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';
import { type Open, sendRaw } from './instruments/raw-http.js';

const folder = createPlainRegistry();
const clients = 4;
const forMs = 3_000;
const many = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2_000);

/** Pipelines without pause until `end`, and reconnects when it is closed. Returns the number of connections. */
async function pipelineUntil(end: number, port: number, open: Open): Promise<number> {
  let connections = 0;
  while (performance.now() < end) {
    const socket = await open(port).catch(() => undefined);
    if (socket === undefined) continue;
    connections += 1;
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const write = (): void => {
      if (performance.now() >= end) socket.destroy();
      else if (!socket.destroyed && socket.write(many)) setImmediate(write);
    };
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy()).on('drain', write);
    socket.resume();
    write();
    await closed;
  }
  return connections;
}

faultPlainAndTls(
  'H14',
  'others are answered while some clients pipeline without pause',
  async ({ server }, open) => {
    const good = startGoodClient(server, plainGolden.path, JSON.stringify(plainGolden.body));
    await good.isFirstGood;
    await pause(300);
    const end = performance.now() + forMs;
    const floods = await Promise.all(
      Array.from({ length: clients }, () => pipelineUntil(end, server.port, open)),
    );
    const { asked, failed, p99 } = await good.stop();
    const connections = floods.reduce((sum, count) => sum + count, 0);
    const get = 'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const { body } = await sendRaw(server.port, get, 2_000, open);
    const closed = readMetricText(body, 'pipelining_closed_total');
    expect(failed).toBe(0);
    expect(asked).toBeGreaterThan(forMs / 100);
    expect(closed).toBeGreaterThan(clients);
    return `${clients} clients on ${connections} connections, ${closed} closed by the server: others failed ${failed} of ${asked}, p99 ${p99.toFixed(1)} ms`;
  },
  { environment: { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' }, golden: plainGolden },
);
