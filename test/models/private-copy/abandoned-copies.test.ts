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
  const told: unknown[] = [];
  await removeAbandonedCopies((text, about) => told.push([text, about]), now);
  return { left: readdirSync(temp), told };
}

test('a copy of a process that has ended is removed, and told', async () => {
  const name = nameOf(endedPid(), '1');
  makeCopy(name);
  const { left, told } = await sweep();
  expect(left).toEqual([]);
  expect(told).toEqual([[expect.stringContaining('are removed'), { copies: [name] }]]);
});

test('a copy of a process that lives stays', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid as number;
  makeCopy(nameOf(pid, startOf(pid)));
  makeCopy(nameOf(process.pid, startOf(process.pid)));
  // Even where nobody has touched it for long.
  expect(await sweep(kernelNow() + 9 * day)).toMatchObject({ left: { length: 2 }, told: [] });
  child.kill();
  await once(child, 'exit');
  expect((await sweep()).left).toEqual([nameOf(process.pid, startOf(process.pid))]);
});

test('a copy whose process has given its number to another is removed', async () => {
  makeCopy(nameOf(process.pid, '1'));
  expect((await sweep()).left).toEqual([]);
});

test('a copy of another machine or container stays for a day after it was last touched', async () => {
  const path = makeCopy(nameOf(endedPid(), '1', '00000000'));
  const now = kernelNow();
  expect((await sweep(now + day / 2)).left).toHaveLength(1);
  utimesSync(path, new Date(now + day), new Date(now + day));
  expect((await sweep(now + 1.5 * day)).left).toHaveLength(1);
  expect((await sweep(now + 2.5 * day)).left).toEqual([]);
});

test('what a link of such a name leads to stays, and so does what has another name', async () => {
  const elsewhere = makeCopy('elsewhere');
  symlinkSync(elsewhere, join(temp, nameOf(endedPid(), '1')));
  makeCopy(`x${nameOf(endedPid(), '1')}`);
  makeCopy('sardonyx-copy.1.1.AbC123');
  expect((await sweep(kernelNow() + 9 * day)).left).toHaveLength(4);
  expect(existsSync(join(elsewhere, 'model.onnx'))).toBe(true);
});

test.skipIf(!isRoot)('a copy of another user stays', async () => {
  chownSync(makeCopy(nameOf(endedPid(), '1')), 65_532, 65_532);
  expect((await sweep()).left).toHaveLength(1);
});

test('a folder that is not there has none', async () => {
  rmSync(temp, { recursive: true });
  await removeAbandonedCopies();
});
