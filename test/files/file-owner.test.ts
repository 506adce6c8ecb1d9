import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { machine, ownMark, startOf, stateOf } from '../../src/files/file-owner.js';

const markOf = (pid: number) => ({ machine: machine(), pid, start: startOf(pid) });

test('a process is alive while it runs, and has ended after its end', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const mark = markOf(child.pid as number);
  expect(stateOf(mark)).toBe('alive');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(stateOf(mark)).toBe('ended');
});

test('a process of another machine is unknown', () => {
  expect(stateOf(ownMark())).toBe('alive');
  expect(stateOf({ ...ownMark(), machine: '00000000' })).toBe('unknown');
});

test.skipIf(!existsSync('/proc/self/stat'))('a later process with the same id is another one', () => {
  expect(stateOf({ ...ownMark(), start: '1' })).toBe('ended');
});

test.skipIf(!existsSync('/proc/self/stat'))('a process that nobody has reaped has ended', async () => {
  // The shell becomes `sleep`, which does not reap the child of the shell.
  const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [text] = await once(parent.stdout, 'data');
  const mark = markOf(Number(String(text)));
  await expect.poll(() => stateOf(mark)).toBe('ended');
  expect(process.kill(mark.pid, 0)).toBe(true);
  parent.kill();
});
