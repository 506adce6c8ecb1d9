import { spawnSync } from 'node:child_process';

/** Builds dist/ once per test run: tests of the process start the same program as users. */
export default function setup(): void {
  const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, compiler, { encoding: 'utf8' });
  // vitest prints this error below a line "No test files found".
  if (status !== 0) throw new Error(`the sources do not compile, so no test runs:\n${stdout}${stderr}`);
}
