import { Worker } from 'node:worker_threads';
import type { ServerProcess } from '../../helpers/server-process.js';

export interface BadKeysResult {
  readonly sent: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly perSecond: number;
}

const source = `
const { parentPort, workerData } = require('node:worker_threads');
const { connect } = require('node:net');
const { randomBytes } = require('node:crypto');
const { port, perSecond, seconds, connections } = workerData;
const statuses = {};
let sent = 0, answered = 0;
const free = [];
const began = performance.now();
for (let k = 0; k < connections; k += 1) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let rest = '';
  socket.setEncoding('latin1').on('data', (text) => {
    rest += text;
    const head = /^HTTP\\/1\\.1 (\\d{3})[^]*?content-length: (\\d+)[^]*?\\r\\n\\r\\n/i.exec(rest);
    if (head === null || rest.length < head[0].length + Number(head[2])) return;
    statuses[head[1]] = (statuses[head[1]] ?? 0) + 1;
    answered += 1;
    rest = '';
    free.push(socket);
  });
  free.push(socket);
}
const timer = setInterval(() => {
  const ms = Math.min(performance.now() - began, seconds * 1000);
  // A connection sends its next request only after its answer, so at most one is in flight on each.
  while (sent < (ms / 1000) * perSecond && free.length > 0) {
    sent += 1;
    const key = 'sdx_' + randomBytes(32).toString('base64url');
    free.pop().write('GET /models HTTP/1.1\\r\\nHost: a\\r\\nX-API-Key: ' + key + '\\r\\n\\r\\n');
  }
  if (ms < seconds * 1000 || answered < sent) return;
  clearInterval(timer);
  for (const socket of free) socket.destroy();
  parentPort.postMessage({ sent, statuses, perSecond: sent / ((performance.now() - began) / 1000) });
}, 1);
`;

/** Sends wrong keys at a fixed rate from its own thread, one request at a time on each connection. */
export async function floodWithBadKeys(
  { port }: ServerProcess,
  options: { readonly perSecond: number; readonly seconds: number; readonly connections: number },
): Promise<BadKeysResult> {
  const worker = new Worker(source, { eval: true, workerData: { port, ...options } });
  try {
    return await new Promise<BadKeysResult>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}
