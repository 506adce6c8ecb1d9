import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

test('npm start writes only lines of JSON to standard output', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-npm-'));
  for (const name of ['dist', 'models', 'node_modules']) symlinkSync(resolve(name), join(folder, name));
  copyFileSync('.npmrc', join(folder, '.npmrc'));
  // A real build would overwrite dist/, which other tests run.
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  manifest.scripts.build = 'echo what a build says';
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const npm = spawn('npm', ['start'], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', CACHE: 'off' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(npm, 'close');
  const stderr: string[] = [];
  createInterface({ input: npm.stderr }).on('line', (line) => stderr.push(line));
  const stdout: string[] = [];
  for await (const line of createInterface({ input: npm.stdout })) {
    stdout.push(line);
    if (line.includes('models loaded')) npm.kill('SIGTERM');
  }
  expect((await ended)[0]).toBe(0);
  rmSync(folder, { recursive: true });
  const messages = stdout.map((line) => JSON.parse(line).msg);
  expect(messages[0]).toContain('listening at');
  expect(messages.at(-1)).toBe('stopped');
  expect(stderr.join('\n')).toContain('what a build says');
});
