import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readStart } from '../../src/process/process-life.js';

test('a process has one start while it runs, and none after its end', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid as number;
  const start = await readStart(pid);
  expect(start).not.toBeUndefined();
  expect(await readStart(pid)).toBe(start);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await readStart(pid)).toBeUndefined();
});

test.skipIf(!existsSync('/proc/self/stat'))('a process that nobody has reaped has ended', async () => {
  // The shell becomes `sleep`, which does not reap the child of the shell.
  const script = 'sleep 0.01 & echo $!; exec sleep 30';
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [text] = await once(parent.stdout, 'data');
  const pid = Number(String(text));
  for (let k = 0; k < 200 && (await readStart(pid)) !== undefined; k += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect([await readStart(pid), process.kill(pid, 0)]).toEqual([undefined, true]);
  parent.kill();
});
