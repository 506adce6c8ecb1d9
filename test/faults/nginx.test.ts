import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { provideNginx, startNginx } from '../helpers/nginx.js';
import { startServerProcess } from '../helpers/server-process.js';
import { startGoodClient } from './clients.js';
import { faultWithoutServer } from './harness.js';
import { createPlainRegistry, plainGolden, plainPrediction } from './plain-registry.js';

const clients = 10;
const folder = createPlainRegistry();
const path = provideNginx();
const title = 'loses no prediction when one of two servers behind nginx ends, in whatever way';
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
      // Both have answered some: else there was nothing to lose.
      const [ofFirst, ofSecond] = [first, second].map(
        ({ port }) => nginx.lines().filter((line) => line.includes(`to 127.0.0.1:${port}: `)).length,
      );
      expect(ofFirst, 'answers of the one that ends').toBeGreaterThan(100);
      expect(ofSecond, 'answers of the one that stays').toBeGreaterThan(100);
      expect(sum('failed'), signal).toBe(0);
      figures.push(`${signal}: failed ${sum('failed')} of ${sum('asked')}`);
    }
    return figures.join(', ');
  });
}
