import { kindOfVersion, orderVersions } from '../registry/version-order.js';

/**
 * The name of a model's next version: after whole numbers the next one, with a `v` where they have it; after semantic
 * versions the next patch; else the time of `now` in UTC as `YYYYMMDD_HHMMSS`, which is newer than any name without
 * an order.
 */
export function nextVersion(existing: readonly string[], now: Date): string {
  const newest = orderVersions(existing).ascending.at(-1);
  const kind = newest === undefined ? 'timestamp' : kindOfVersion(newest);
  if (newest === undefined || kind === 'timestamp') return freeTimestamp(existing, now);
  if (kind === 'number') return String(BigInt(newest) + 1n);
  if (kind === 'v-number') return `v${BigInt(newest.slice(1)) + 1n}`;
  const [core = '', prerelease] = newest.split(/-(.*)/);
  // 1.2.0-rc.1 comes before 1.2.0, which is therefore the next.
  if (prerelease !== undefined) return core;
  const [major, minor, patch = '0'] = core.split('.');
  return `${major}.${minor}.${BigInt(patch) + 1n}`;
}

/** The first second from `now` on that no version is named after. */
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
