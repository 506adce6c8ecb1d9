import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { runnerEntry } from '../../helpers/runner-entry.js';

/** A child as a parent of this number would start it. */
function startChild(parent: number) {
  const args = ['--expose-gc', ...runnerEntry, '4000000000', String(parent)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
}

test('a child whose parent had gone before it could ask who that is ends itself', async () => {
  const [code, signal] = await once(startChild(2 ** 22 + 1), 'exit');
  expect([code, signal]).toEqual([null, 'SIGKILL']);
});

test('a child of a parent that lives ends once that closes its end, and not before', async () => {
  const child = startChild(process.pid);
  const ended = once(child, 'exit');
  const early = new Promise((resolve) => setTimeout(() => resolve('lives'), 1_000));
  expect(await Promise.race([ended, early])).toBe('lives');
  child.stdio[3]?.destroy();
  expect(await ended).toEqual([0, null]);
});
