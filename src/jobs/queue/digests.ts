import { createHash } from 'node:crypto';

/** The owner as the names of folders and of keys of Redis have it: the id of an API key may hold any letters. */
export function tagOfOwner(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 16);
}

/** The name of an owner's idempotency key, which may be long, and no name of a file. */
export function nameOfKey(owner: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([owner, key]))
    .digest('hex');
}
