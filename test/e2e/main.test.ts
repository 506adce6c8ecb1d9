import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('main.js takes no commands, and says where they are', () => {
  const { status, stderr } = spawnSync(process.execPath, ['dist/main.js', 'check'], { encoding: 'utf8' });
  expect(stderr).toBe('sardonyx: main.js takes no arguments: the commands are those of cli.js\n');
  expect(status).toBe(1);
});
