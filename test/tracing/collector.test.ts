import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createCollector } from '../../src/tracing/collector.js';

test('an answer without end is not read to its end, and counts as none', async () => {
  let [written, isClosed] = [0, false];
  const piece = Buffer.alloc(65_536, ' ');
  const server = createServer((request, response) => {
    request.resume();
    const write = (): void => {
      while (!response.destroyed && response.write(piece)) written += piece.length;
    };
    response.on('drain', write);
    response.on('close', () => {
      isClosed = true;
    });
    write();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const collector = createCollector(new URL(`http://127.0.0.1:${port}/v1/traces`), {}, 5_000);
  expect(await collector.send('{}')).toEqual({ rejected: 0 });
  await expect.poll(() => isClosed).toBe(true);
  expect(written).toBeLessThan(50_000_000);
  server.close();
});
