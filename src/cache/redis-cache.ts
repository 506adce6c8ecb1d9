import { createHash } from 'node:crypto';
import { ServiceError } from '../errors.js';
import type { Commands } from '../redis/connection/connection.js';
import { requireForm } from '../redis/out-of-step.js';
import { RefusedByRedis } from '../redis/redis-errors.js';
import type { RedisLink } from '../redis/redis-link.js';
import type { AnswerCache } from './answer-cache.js';

export interface RedisCacheOptions {
  /** Begins the name of each entry. */
  readonly prefix: string;
  readonly ttlSeconds: number;
  /** An entry was found that is none of ours, or is damaged. It has been removed, and counts as a miss. */
  readonly onCorrupt: () => void;
}

/** An entry that is longer is not stored, and not read whole whatever stands there. */
const maxEntryBytes = 65_536;
/** Of the whole Redis, at each step of a search for the entries of one version. */
const keysAStep = 1_000;
/** `1:`, 22 characters of digest, `:`, the fields as JSON. */
const membersAt = 2 + 22 + 1;

/**
 * Remembers answers in a Redis that many processes share. One that is away costs a hit, never an answer. An entry
 * holds a digest over what it answers and what it says, so that whatever else gets under its name is never taken for
 * an answer: damage, not malice, since who may write there can make a digest too.
 */
export function createRedisCache(
  link: RedisLink,
  { prefix, ttlSeconds, onCorrupt }: RedisCacheOptions,
): AnswerCache {
  const nameOf = (identity: string, rowDigest: string) =>
    `${prefix}c:{${identity.slice(0, 32)}}:${rowDigest}`;

  return {
    async get({ identity, request: row }) {
      const rowDigest = digest(row).toString('base64url');
      const name = nameOf(identity, rowDigest);
      const entry = await link.ask(
        'cache',
        async (redis) => requireForm(await redis.getrange(name, 0, maxEntryBytes), isText),
        'read',
      );
      // An entry that is not there is an empty text here, and an empty entry is no answer either.
      if (entry === undefined || entry === '') return undefined;
      if (!(entry instanceof RefusedByRedis)) {
        const fieldsJson = readEntry(entry, identity, rowDigest);
        if (fieldsJson !== undefined) return fieldsJson;
      } else if (entry.code !== 'WRONGTYPE') return undefined;
      onCorrupt();
      void link.ask('cache', (redis) => redis.unlink(name));
      return undefined;
    },
    async set({ identity, request: row }, fieldsJson) {
      // It would come back as another text.
      if (!fieldsJson.isWellFormed()) return;
      const rowDigest = digest(row).toString('base64url');
      const entry = `${headOf(identity, rowDigest, fieldsJson)}${fieldsJson}`;
      if (Buffer.byteLength(entry) > maxEntryBytes) return;
      await link.ask('cache', async (redis) =>
        requireForm(await redis.set(nameOf(identity, rowDigest), entry, 'EX', ttlSeconds), isText),
      );
    },
    async clear(identity) {
      const pattern = `${escapePattern(nameOf(identity, ''))}*`;
      let cleared = 0;
      let cursor = '0';
      do {
        const from = cursor;
        const scan = async (redis: Commands) =>
          requireForm(await redis.scan(from, 'MATCH', pattern, 'COUNT', keysAStep), isStep);
        const found = await askTwice(link, scan, 'read');
        if (found === undefined) throw new ServiceError('cache_unavailable');
        const [next, names] = found;
        cursor = next;
        if (names.length === 0) continue;
        const gone = await askTwice(
          link,
          async (redis) => requireForm(await redis.unlink(names), isCount),
          'write',
        );
        if (gone === undefined) throw new ServiceError('cache_unavailable');
        cleared += gone;
      } while (cursor !== '0');
      return cleared;
    },
    close: () => undefined,
  };
}

/** One answer that comes late must not end a search of thousands of steps. */
async function askTwice<T>(
  link: RedisLink,
  command: (redis: Commands) => Promise<T>,
  kind: 'read' | 'write',
): Promise<T | undefined> {
  const reply = (await link.ask('cache', command, kind)) ?? (await link.ask('cache', command, kind));
  return reply instanceof RefusedByRedis ? undefined : reply;
}

const isText = (reply: unknown) => typeof reply === 'string';
const isCount = (reply: unknown) => typeof reply === 'number';
const isStep = (reply: unknown) =>
  Array.isArray(reply) && isText(reply[0]) && Array.isArray(reply[1]) && reply[1].every(isText);

function readEntry(entry: string, identity: string, rowDigest: string): string | undefined {
  const fieldsJson = entry.slice(membersAt);
  return entry.startsWith(headOf(identity, rowDigest, fieldsJson)) ? fieldsJson : undefined;
}

/** All parts but the last have a fixed length: no two sets of them have the same text. */
function headOf(identity: string, rowDigest: string, fieldsJson: string): string {
  return `1:${digest(identity + rowDigest + fieldsJson)
    .subarray(0, 16)
    .toString('base64url')}:`;
}

/** Of the letters as they are held: UTF-8 has one and the same form for every half of a surrogate pair. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf16le').digest();
}

function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}
