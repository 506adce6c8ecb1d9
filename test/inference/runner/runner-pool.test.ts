import { expect, test } from 'vitest';
import { RunnerPool } from '../../../src/inference/runner/runner-pool.js';
import { type RunnerProcess, startRunnerProcess } from '../../../src/inference/runner/runner-process.js';
import { childrenOf, isAlive } from '../../helpers/processes.js';

const answers = async (runner: RunnerProcess) =>
  (await runner.ask({ kind: 'measure' })).message.residentBytes;
const children = () => new Set(childrenOf(process.pid, 'runner/main.js'));

test('a pool keeps a started child ready', async () => {
  const pool = new RunnerPool(4e9);
  pool.warm();
  // Three other children start one after the other, so that the ready child has had enough time.
  for (let k = 0; k < 3; k += 1) {
    const later = startRunnerProcess(4e9);
    await answers(later);
    later.kill();
  }
  const first = pool.take();
  // This one has to start.
  const second = pool.take();
  expect(second.pid).not.toBe(first.pid);
  const answered: string[] = [];
  await Promise.all([
    answers(second).then(() => answered.push('the new child')),
    answers(first).then(() => answered.push('the ready child')),
  ]);
  expect(answered).toEqual(['the ready child', 'the new child']);
  for (const runner of [first, second]) runner.kill();
  pool.close();
});

test('the ready child ends with the pool, and a child that was taken does not', async () => {
  const pool = new RunnerPool(4e9);
  const before = children();
  pool.warm();
  const taken = pool.take();
  pool.warm();
  const kept = [...children()].find((pid) => !before.has(pid) && pid !== taken.pid) as number;
  pool.close();
  await expect.poll(() => isAlive(kept), { timeout: 10_000 }).toBe(false);
  expect(await answers(taken)).toBeGreaterThan(1e6);
  taken.kill();
  pool.warm();
  expect([...children()].filter((pid) => !before.has(pid) && isAlive(pid))).toEqual([]);
});

test('a child that is given back is ready again, unless another one is, or the pool has closed', async () => {
  const pool = new RunnerPool(4e9);
  const [first, second] = [pool.take(), pool.take()];
  pool.giveBack(first);
  pool.giveBack(second);
  expect([first.isAlive, second.isAlive]).toEqual([true, false]);
  expect(pool.take()).toBe(first);
  pool.close();
  pool.giveBack(first);
  expect(first.isAlive).toBe(false);
});

test('a ready child that has ended is not handed out', async () => {
  const pool = new RunnerPool(4e9);
  const kept = pool.take();
  pool.giveBack(kept);
  process.kill(kept.pid as number, 'SIGKILL');
  await kept.ended;
  const runner = pool.take();
  expect(runner).not.toBe(kept);
  expect(await answers(runner)).toBeGreaterThan(1e6);
  runner.kill();
  pool.close();
});
