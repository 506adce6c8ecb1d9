import { machine, startOf, stateOf } from '../../files/file-owner.js';

/** `sardonyx-copy.4711.123456.0a1b2c3d.AbC123`: process id, start of the process, machine, random characters. */
const pattern = /^sardonyx-copy\.(\d+)\.(\d+)\.([0-9a-f]{8})\.[A-Za-z0-9]{6}$/;

export function copyPrefix(): string {
  return `sardonyx-copy.${process.pid}.${startOf(process.pid) ?? 0}.${machine()}.`;
}

/** `unknown` if the process belongs to another machine or container; undefined if the name is not that of a copy. */
export function stateOfOwner(name: string): 'ended' | 'alive' | 'unknown' | undefined {
  const [, pid, start, owner] = pattern.exec(name) ?? [];
  if (pid === undefined) return undefined;
  if (owner === undefined || start === undefined) return undefined;
  // A start of 0 is that of a system without /proc.
  return stateOf({ machine: owner, pid: Number(pid), start: start === '0' ? undefined : start });
}
