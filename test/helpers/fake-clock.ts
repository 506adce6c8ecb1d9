import { existsSync } from 'node:fs';
import { installByApt } from './programs.js';

const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.']
  .flatMap((folder) => [`/usr/lib/${folder}/faketime`, `/usr/local/lib/${folder}/faketime`])
  .map((folder) => `${folder}/libfaketimeMT.so.1`);
const find = () => libraries.find((path) => existsSync(path));

/** The path of libfaketime, which is installed where it can be; undefined where there is none. */
export function provideFakeClock(): string | undefined {
  return find() ?? (installByApt('libfaketime') ? find() : undefined);
}

/** Why a row without libfaketime is skipped, or is weaker. */
export const noFakeClock = 'needs libfaketime';

/**
 * The environment of a process with another time of day, such as `{ FAKETIME: '+365d' }` or one that a file holds.
 * The clock that timers rest on stays as it is: nobody can set it on a real machine.
 */
export function fakeClock(library: string, settings: Readonly<Record<string, string>>) {
  return {
    LD_PRELOAD: library,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    ...settings,
  };
}
