import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { createPair, noCertificates, PairFolder } from '../helpers/certificates.js';

const block = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

/** Sends a request from another thread, which this thread cannot block, and returns the status of the answer. */
async function askFromThread(port: number): Promise<number> {
  const body = '{"age":42,"income":51234.5,"credit_score":688}';
  const head = `POST /predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nX-Request-Timeout-Ms: 150\r\nContent-Length: ${body.length}\r\n\r\n`;
  const worker = new Worker(
    `const { parentPort, workerData: { port, text } } = require('node:worker_threads');
     const socket = require('node:tls').connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
     socket.on('secureConnect', () => socket.write(text));
     socket.on('data', (chunk) => parentPort.postMessage(Number(String(chunk).split(' ')[1])));
     socket.on('error', (error) => parentPort.postMessage(error.code));`,
    { eval: true, workerData: { port, text: head + body } },
  );
  const [status] = await once(worker, 'message');
  await worker.terminate();
  return status;
}

describe.skipIf(noCertificates)('over TLS', () => {
  test('the deadline of a request runs from its arrival, not from the moment at which the thread reads it', async () => {
    using files = new PairFolder(createPair('arrival'));
    await using server = await buildTestApp(files.environment);
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as { port: number };
    // The thread is blocked just when the client can finish its handshake and send its request.
    server.app.server.once('keylog', () => setImmediate(() => block(400)));
    expect(await askFromThread(port)).toBe(504);
    expect(await askFromThread(port)).toBe(200);
  });
});
