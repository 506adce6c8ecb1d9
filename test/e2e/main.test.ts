import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('main.js refuses arguments, and names cli.js for the commands', () => {
  const { status, stderr } = spawnSync(process.execPath, ['dist/main.js', 'check'], { encoding: 'utf8' });
  expect(stderr).toBe('sardonyx: main.js takes no arguments; the commands are in cli.js\n');
  expect(status).toBe(1);
});
