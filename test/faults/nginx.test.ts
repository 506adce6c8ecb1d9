import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findFreePort } from '../helpers/free-port.js';
import { provideNginx, startNginx } from '../helpers/nginx.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { startGoodClient } from './instruments/clients.js';
import { faultWithoutServer } from './instruments/fault.js';
import { createPlainRegistry, plainGolden, plainPrediction } from './instruments/plain-registry.js';

const clients = 10;
const folder = createPlainRegistry();
const path = provideNginx();
const title = 'no prediction fails when one of two servers behind nginx ends by SIGTERM or SIGKILL';
if (path === undefined) test.skip(`S08 ${title}: there is no nginx`, () => undefined);
else {
  faultWithoutServer('S08', title, async () => {
    const figures: string[] = [];
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const environment = { MODELS_DIR: folder.path, TRUST_PROXY: '127.0.0.1' };
      await using first = await startServerProcess(environment);
      await using second = await startServerProcess(environment);
      await using nginx = await startNginx(path, first.port, second.port);
      const body = JSON.stringify(plainGolden.body);
      const expecting = `"prediction":${plainPrediction}`;
      const good = Array.from({ length: clients }, () =>
        startGoodClient({ ...second, port: nginx.port }, plainGolden.path, body, { expecting, pauseMs: 0 }),
      );
      await pause(1_000);
      first.child.kill(signal);
      await first.ended;
      await pause(1_000);
      const counts = await Promise.all(good.map((client) => client.stop()));
      const sum = (name: 'asked' | 'failed') => counts.reduce((total, count) => total + count[name], 0);
      // Both servers must have answered, or nothing was tested.
      const [ofFirst, ofSecond] = [first, second].map(
        ({ port }) => nginx.lines().filter((line) => line.includes(`to 127.0.0.1:${port}: `)).length,
      );
      expect(ofFirst, 'answers of the server that ends').toBeGreaterThan(100);
      expect(ofSecond, 'answers of the server that stays').toBeGreaterThan(100);
      expect(sum('failed'), signal).toBe(0);
      figures.push(`${signal}: failed ${sum('failed')} of ${sum('asked')}`);
    }
    return figures.join(', ');
  });
}

const rolling = 'no prediction fails when two servers behind nginx restart in turn, with any pause between';
if (path === undefined) test.skip(`S03 ${rolling}: there is no nginx`, () => undefined);
else {
  faultWithoutServer(
    'S03',
    rolling,
    async () => {
      const figures: string[] = [];
      const ports = [await findFreePort(), await findFreePort()] as const;
      const start = (port: number) =>
        startServerProcess({ MODELS_DIR: folder.path, TRUST_PROXY: '127.0.0.1', PORT: String(port) });
      await using nginx = await startNginx(path, ...ports);
      const servers = await Promise.all(ports.map(start));
      try {
        for (const pauseMs of [0, 1_000, 5_000, 12_000]) {
          const body = JSON.stringify(plainGolden.body);
          const expecting = `"prediction":${plainPrediction}`;
          const good = Array.from({ length: clients }, () =>
            startGoodClient({ ...(servers[0] as ServerProcess), port: nginx.port }, plainGolden.path, body, {
              expecting,
            }),
          );
          await pause(500);
          for (const [k, port] of ports.entries()) {
            if (k > 0) await pause(pauseMs);
            servers[k]?.child.kill('SIGTERM');
            await servers[k]?.ended;
            servers[k] = await start(port);
          }
          await pause(500);
          const counts = await Promise.all(good.map((client) => client.stop()));
          const sum = (name: 'asked' | 'failed') => counts.reduce((total, count) => total + count[name], 0);
          expect(sum('asked')).toBeGreaterThan(100);
          expect(sum('failed'), `${pauseMs} ms between`).toBe(0);
          figures.push(`${pauseMs / 1_000} s between: failed ${sum('failed')} of ${sum('asked')}`);
        }
      } finally {
        for (const server of servers) await server[Symbol.asyncDispose]();
      }
      return figures.join(', ');
    },
    120_000,
  );
}
