import { get } from 'node:http';
import { afterAll, expect, test, vi } from 'vitest';
import { childrenOf } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess, waitForLine } from '../helpers/server-process.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());

/** Sends a request over a connection of its own, and records how it ended. */
function ask(port: number) {
  const asked = { end: undefined as string | undefined };
  get({ port, path: '/health/live', agent: false }, (response) => {
    response.resume().on('end', () => {
      asked.end = `status ${response.statusCode}`;
    });
  }).on('error', (error: NodeJS.ErrnoException) => {
    asked.end = error.code;
  });
  return asked;
}

test('a connection that a killed worker had not acknowledged is closed', async () => {
  await using server = await startServerProcess({ WORKERS: '2', MODELS_DIR: folder.path });
  const victim = childrenOf(server.child.pid as number)[0] as number;
  process.kill(victim, 'SIGSTOP');
  // The stopped worker gets one connection, which it cannot acknowledge: all others go to the other worker.
  const asked = Array.from({ length: 4 }, () => ask(server.port));
  const open = () => asked.filter(({ end }) => end === undefined).length;
  await vi.waitUntil(() => open() === 1, { timeout: 15_000, interval: 10 });

  process.kill(victim, 'SIGKILL');
  await waitForLine(server, 'worker listens', 3);
  await vi.waitUntil(() => open() === 0, { timeout: 15_000, interval: 10 });
  expect(asked.map(({ end }) => end).sort()).toEqual([
    'ECONNRESET',
    'status 200',
    'status 200',
    'status 200',
  ]);

  server.child.kill('SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
});
