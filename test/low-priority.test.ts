import { spawnSync } from 'node:child_process';
import { getPriority } from 'node:os';
import { expect, test } from 'vitest';

/** The priorities of the threads of a process that lowers its own. */
const prioritiesOf = (command: readonly string[]): number[] => {
  const script = `
    import { getPriority } from 'node:os';
    import { readdirSync } from 'node:fs';
    import { lowerPriority } from './src/low-priority.ts';
    lowerPriority();
    console.log(JSON.stringify(readdirSync('/proc/self/task').map((it) => getPriority(Number(it)))));`;
  const [program, ...args] = [
    ...command,
    process.execPath,
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    script,
  ];
  const { stdout, stderr } = spawnSync(program as string, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as number[];
};

test('a process yields with all its threads', () => {
  const priorities = prioritiesOf([]);
  expect(priorities.length).toBeGreaterThan(4);
  expect(new Set(priorities)).toEqual(new Set([Math.max(10, getPriority())]));
});

test('a process that yields more already goes on to do so', () => {
  expect(new Set(prioritiesOf(['nice', '-n', '15']))).toEqual(new Set([15]));
});
