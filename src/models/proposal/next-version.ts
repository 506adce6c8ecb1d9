import { kindOfVersion, orderVersions } from '../registry/version-order.js';

/**
 * The name of a model's next version: the next whole number, with a `v` if the others have one; the next patch of a
 * semantic version; else `now` in UTC as `YYYYMMDD_HHMMSS`, which is newer than any name without an order.
 */
export function nextVersion(existing: readonly string[], now: Date): string {
  const newest = orderVersions(existing).ascending.at(-1);
  const kind = newest === undefined ? 'timestamp' : kindOfVersion(newest);
  if (newest === undefined || kind === 'timestamp') return freeTimestamp(existing, now);
  if (kind === 'number') return String(BigInt(newest) + 1n);
  if (kind === 'v-number') return `v${BigInt(newest.slice(1)) + 1n}`;
  const [core = '', prerelease] = newest.split(/-(.*)/);
  // 1.2.0 follows 1.2.0-rc.1.
  if (prerelease !== undefined) return core;
  const [major, minor, patch = '0'] = core.split('.');
  return `${major}.${minor}.${BigInt(patch) + 1n}`;
}

/** The first second from `now` on that is not the name of a version. */
function freeTimestamp(existing: readonly string[], now: Date): string {
  let time = now.getTime();
  while (existing.includes(toTimestamp(new Date(time)))) time += 1_000;
  return toTimestamp(new Date(time));
}

function toTimestamp(now: Date): string {
  return now
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[-:]/g, '')
    .replace('T', '_');
}
