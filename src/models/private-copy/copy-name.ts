import { isAlive, machine, startOf } from '../../files/file-owner.js';

/** `sardonyx-copy.4711.123456.0a1b2c3d.AbC123`: the process that made it, its start, its machine, and chance. */
const pattern = /^sardonyx-copy\.(\d+)\.(\d+)\.([0-9a-f]{8})\.[A-Za-z0-9]{6}$/;

/** The beginning of the name of a copy that this process makes; six letters or digits follow. */
export function copyPrefix(): string {
  return `sardonyx-copy.${process.pid}.${startOf(process.pid) ?? 0}.${machine()}.`;
}

/**
 * Whether the process that made a copy has ended. `unknown` where that process has another machine's number, or its
 * own container's; undefined where the name is not that of a copy.
 */
export function stateOfOwner(name: string): 'ended' | 'alive' | 'unknown' | undefined {
  const [, pid, start, owner] = pattern.exec(name) ?? [];
  if (pid === undefined) return undefined;
  if (owner !== machine()) return 'unknown';
  const started = startOf(Number(pid));
  const isOwner = started === undefined ? isAlive(Number(pid)) : started === start;
  return isOwner ? 'alive' : 'ended';
}
