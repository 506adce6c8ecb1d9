import { expect, test } from 'vitest';
import { RunnerPool } from '../../../src/inference/runner/runner-pool.js';
import { type RunnerProcess, startRunnerProcess } from '../../../src/inference/runner/runner-process.js';
import { childrenOf, isAlive } from '../../helpers/processes.js';

const answers = async (runner: RunnerProcess) =>
  (await runner.ask({ kind: 'measure' })).message.residentBytes;
const children = () => new Set(childrenOf(process.pid, 'runner/main.js'));

test('while it has users, a child is there before it is wanted', async () => {
  const pool = new RunnerPool(4e9);
  pool.retain();
  // Once three others have started after it, one after the other, the one that is kept has had time enough.
  const begun = performance.now();
  for (let k = 0; k < 3; k += 1) {
    const later = startRunnerProcess(4e9);
    await answers(later);
    later.kill();
  }
  const startMs = (performance.now() - begun) / 3;
  const wanted = performance.now();
  const first = pool.take();
  const second = pool.take();
  expect(await answers(first)).toBeGreaterThan(1e6);
  expect(performance.now() - wanted, 'no start of a process').toBeLessThan(startMs / 2);
  expect(second.pid).not.toBe(first.pid);
  expect(await answers(second)).toBeGreaterThan(1e6);
  for (const runner of [first, second]) runner.kill();
  pool.release();
});

test('the child that was kept ends with the last user, and one that was taken does not', async () => {
  const pool = new RunnerPool(4e9);
  const before = children();
  pool.retain();
  pool.retain();
  const taken = pool.take();
  pool.warm();
  const kept = [...children()].find((pid) => !before.has(pid) && pid !== taken.pid) as number;
  pool.release();
  expect(isAlive(kept)).toBe(true);
  pool.release();
  await expect.poll(() => isAlive(kept), { timeout: 10_000 }).toBe(false);
  expect(await answers(taken)).toBeGreaterThan(1e6);
  taken.kill();
  pool.warm();
  expect([...children()].filter((pid) => !before.has(pid) && isAlive(pid))).toEqual([]);
});

test('a child that was kept and has ended is not given to anybody', async () => {
  const pool = new RunnerPool(4e9);
  const before = children();
  pool.retain();
  const kept = [...children()].find((pid) => !before.has(pid)) as number;
  process.kill(kept, 'SIGKILL');
  await expect.poll(() => isAlive(kept), { timeout: 10_000 }).toBe(false);
  // That it has ended is heard a turn after the process is gone.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const runner = pool.take();
  expect(runner.pid).not.toBe(kept);
  expect(await answers(runner)).toBeGreaterThan(1e6);
  runner.kill();
  pool.release();
});
