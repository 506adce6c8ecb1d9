import { existsSync } from 'node:fs';
import { installByApt } from './programs.js';

const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.']
  .flatMap((folder) => [`/usr/lib/${folder}/faketime`, `/usr/local/lib/${folder}/faketime`])
  .map((folder) => `${folder}/libfaketimeMT.so.1`);
const find = () => libraries.find((path) => existsSync(path));

/** The path of libfaketime, installed if possible; undefined if there is none. */
export function provideFakeClock(): string | undefined {
  return find() ?? (installByApt('libfaketime') ? find() : undefined);
}

/** Why a test without libfaketime is skipped or weaker. */
export const noFakeClock = 'needs libfaketime';

/**
 * The environment of a process with another wall clock, such as `{ FAKETIME: '+365d' }` or a time from a file. The
 * monotonic clock of timers stays unchanged, as on a real machine.
 */
export function fakeClock(library: string, settings: Readonly<Record<string, string>>) {
  return {
    LD_PRELOAD: library,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    ...settings,
  };
}
