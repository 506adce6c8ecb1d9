import { execFileSync } from 'node:child_process';

/** Builds dist/ once per test run: tests of the process start the same program as users. */
export default function setup(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
}
