import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, truncateSync } from 'node:fs';

/** Special files in the place of a regular one, which would block or exhaust a reader that does not check. */
export const unreadableKinds = ['a pipe', 'a device', 'a folder', 'a sparse file of 1 TB'] as const;
export type UnreadableKind = (typeof unreadableKinds)[number];

/** Creates the special file, and replaces an existing file. */
export function putInPlace(kind: UnreadableKind, path: string): void {
  rmSync(path, { recursive: true, force: true });
  switch (kind) {
    case 'a pipe':
      execFileSync('mkfifo', [path]);
      return;
    case 'a device':
      // A link, since creating a device needs privileges. Reading it never ends.
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
