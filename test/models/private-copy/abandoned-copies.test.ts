import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kernelNow, machine, startOf } from '../../../src/files/file-owner.js';
import { removeAbandonedCopies } from '../../../src/models/private-copy/abandoned-copies.js';

const { TMPDIR } = process.env;
let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'sardonyx-swept-'));
  process.env['TMPDIR'] = temp;
});
afterEach(() => {
  rmSync(temp, { recursive: true, force: true });
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
});

const day = 86_400_000;
const nameOf = (pid: number, start: string | undefined, where = machine()) =>
  `sardonyx-copy.${pid}.${start}.${where}.AbC123`;
const endedPid = () => spawnSync('true').pid;
const isRoot = process.getuid?.() === 0;

function makeCopy(name: string): string {
  const path = join(temp, name);
  mkdirSync(path);
  writeFileSync(join(path, 'model.onnx'), '');
  return path;
}

async function sweep(now?: number) {
  const notices: unknown[] = [];
  await removeAbandonedCopies((text, about) => notices.push([text, about]), now);
  return { left: readdirSync(temp), notices };
}

test('the copy of an ended process is removed and reported', async () => {
  const name = nameOf(endedPid(), '1');
  makeCopy(name);
  const { left, notices } = await sweep();
  expect(left).toEqual([]);
  expect(notices).toEqual([[expect.stringContaining('removed private copies'), { copies: [name] }]]);
});

test('the copy of a running process stays', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid as number;
  makeCopy(nameOf(pid, startOf(pid)));
  makeCopy(nameOf(process.pid, startOf(process.pid)));
  // Also if the copy was not touched for days.
  expect(await sweep(kernelNow() + 9 * day)).toMatchObject({ left: { length: 2 }, notices: [] });
  child.kill();
  await once(child, 'exit');
  expect((await sweep()).left).toEqual([nameOf(process.pid, startOf(process.pid))]);
});

test('a copy is removed if another process now has the id of its process', async () => {
  makeCopy(nameOf(process.pid, '1'));
  expect((await sweep()).left).toEqual([]);
});

test('a copy from another machine or container is removed a day after it was last touched', async () => {
  const path = makeCopy(nameOf(endedPid(), '1', '00000000'));
  const now = kernelNow();
  expect((await sweep(now + day / 2)).left).toHaveLength(1);
  utimesSync(path, new Date(now + day), new Date(now + day));
  expect((await sweep(now + 1.5 * day)).left).toHaveLength(1);
  expect((await sweep(now + 2.5 * day)).left).toEqual([]);
});

test('the target of a link with the name of a copy stays, and so do files with other names', async () => {
  const elsewhere = makeCopy('elsewhere');
  symlinkSync(elsewhere, join(temp, nameOf(endedPid(), '1')));
  makeCopy(`x${nameOf(endedPid(), '1')}`);
  makeCopy('sardonyx-copy.1.1.AbC123');
  expect((await sweep(kernelNow() + 9 * day)).left).toHaveLength(4);
  expect(existsSync(join(elsewhere, 'model.onnx'))).toBe(true);
});

test.skipIf(!isRoot)('the copy of another user stays', async () => {
  chownSync(makeCopy(nameOf(endedPid(), '1')), 65_532, 65_532);
  expect((await sweep()).left).toHaveLength(1);
});

test('a missing folder for temporary files is no error', async () => {
  rmSync(temp, { recursive: true });
  await removeAbandonedCopies();
});
