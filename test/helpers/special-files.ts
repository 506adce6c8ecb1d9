import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, truncateSync } from 'node:fs';

/** What may stand where a file should, and would block or exhaust who reads it without looking. */
export const unreadableKinds = ['a pipe', 'a device', 'a folder', 'a sparse file of 1 TB'] as const;
export type UnreadableKind = (typeof unreadableKinds)[number];

/** Puts it there, in place of what there was. */
export function putInPlace(kind: UnreadableKind, path: string): void {
  rmSync(path, { recursive: true, force: true });
  switch (kind) {
    case 'a pipe':
      execFileSync('mkfifo', [path]);
      return;
    case 'a device':
      // A link, since making a device needs privileges; endless to whoever reads it.
      symlinkSync('/dev/zero', path);
      return;
    case 'a folder':
      mkdirSync(path);
      return;
    case 'a sparse file of 1 TB':
      closeSync(openSync(path, 'w'));
      truncateSync(path, 2 ** 40);
      return;
    default:
      kind satisfies never;
  }
}
