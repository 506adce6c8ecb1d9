import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { faultWithoutServer } from './instruments/fault.js';
import { installLinters } from './instruments/workflow-linters.js';

const linters = installLinters();
const title = 'linters find nothing in the workflows, and find each planted fault';
if ('missing' in linters) test.skip(`P02 ${title}: ${linters.missing}`, () => undefined);
else describeLinters(linters.bin);

function describeLinters(bin: string): void {
  const base = mkdtempSync(join(tmpdir(), 'sardonyx-workflows-'));
  afterAll(() => rmSync(base, { recursive: true }));
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH']}` };
  // The same commands as in .github/workflows/ci.yml.
  const commands = [
    ['actionlint'],
    ['zizmor', '--offline', '--no-progress', '--format=plain', '--persona=pedantic', '.github/workflows'],
  ] as const;
  const lint = (cwd: string) =>
    commands.map(([file, ...args]) => {
      const { status, stdout, stderr } = spawnSync(file, args, { cwd, env, encoding: 'utf8' });
      return { file, status, output: stdout + stderr };
    });

  faultWithoutServer(
    'P02',
    title,
    async () => {
      for (const { file, status, output } of lint(process.cwd()))
        expect(status, `${file}: ${output}`).toBe(0);
      const expression = '$' + '{{ github.event.pull_request.title }}';
      const plants: readonly (readonly [string, string | RegExp, string])[] = [
        ['an action by its tag', /actions\/checkout@[0-9a-f]{40} # \S+/, 'actions/checkout@v4'],
        ['write permissions for all jobs', 'permissions: {}', 'permissions: write-all'],
        ['credentials left in the clone', 'persist-credentials: false', 'fetch-depth: 1'],
        ['foreign text in a script', 'run: npm test', `run: echo "${expression}"`],
        ['an unquoted variable', 'docker stop sardonyx', 'docker stop $NAME'],
        ['a missing job', 'timeout-minutes: 60', 'needs: nothing'],
      ];
      const missed = plants.filter(([name, from, to], k) => {
        const folder = join(base, String(k));
        mkdirSync(folder);
        // actionlint needs the root of a repository.
        spawnSync('git', ['init', '--quiet'], { cwd: folder });
        cpSync(resolve('.github'), join(folder, '.github'), { recursive: true });
        const file = join(folder, '.github/workflows/ci.yml');
        const text = readFileSync(file, 'utf8');
        expect(text.replace(from, to), name).not.toBe(text);
        writeFileSync(file, text.replace(from, to));
        return lint(folder).every(({ status }) => status === 0);
      });
      expect(missed.map(([name]) => name)).toEqual([]);
      return `findings 0; missed 0 of ${plants.length} planted faults`;
    },
    180_000,
  );
}
