import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { startServerProcess, waitForLine } from '../helpers/server-process.js';

test('used-up file descriptors are logged once, and stand in the metrics', async () => {
  await using server = await startServerProcess(
    { AUTH: 'off' },
    { under: ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh'] },
  );
  const sockets = Array.from({ length: 300 }, () => net.connect(server.port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => undefined);
  await waitForLine(server, 'has used up its file descriptors');
  for (const socket of sockets) socket.destroy();
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const lines = server.stdout.filter((line) => line.includes('has used up its file descriptors'));
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 50, limit: 256 }]);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toMatch(/^process_max_fds 256$/m);
  expect(metrics).toMatch(/^process_open_fds \d+$/m);
});
