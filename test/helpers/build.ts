import { execFileSync } from 'node:child_process';

/** Builds dist/ once a test run: tests of the process start what users start. */
export default function setup(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
}
