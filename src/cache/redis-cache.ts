import { createHash } from 'node:crypto';
import { ServiceError } from '../errors.js';
import type { Commands } from '../redis/connection/connection.js';
import { requireForm } from '../redis/out-of-step.js';
import { RefusedByRedis } from '../redis/redis-errors.js';
import type { RedisLink } from '../redis/redis-link.js';
import type { AnswerCache } from './answer-cache.js';

export interface RedisCacheOptions {
  readonly prefix: string;
  readonly ttlSeconds: number;
  /** Called for a foreign or damaged entry. The entry is removed and counts as a miss. */
  readonly onCorrupt: () => void;
}

/** Longer entries are not stored, and no more than this is read of an entry. */
const maxEntryBytes = 65_536;
/** Keys of the whole Redis that one step of `clear` scans. */
const keysAStep = 1_000;
/** `1:`, 22 characters of digest, `:`, the fields as JSON. */
const membersAt = 2 + 22 + 1;

/**
 * A cache in a Redis that many processes share. While Redis is away, answers are computed. Each entry holds a digest of
 * its key and its fields, so that other data under its name is never an answer. That protects against damage, not
 * against malice: a client that can write to Redis can compute the digest too.
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
      // GETRANGE replies with an empty string for a missing key.
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
      // UTF-8 cannot represent half a surrogate pair: another text would come back.
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
        const removed = await askTwice(
          link,
          async (redis) => requireForm(await redis.unlink(names), isCount),
          'write',
        );
        if (removed === undefined) throw new ServiceError('cache_unavailable');
        cleared += removed;
      } while (cursor !== '0');
      return cleared;
    },
    close: () => undefined,
  };
}

/** Retries once: a single late reply must not end a scan of thousands of steps. */
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

/** Of the digest's three parts the first two have a fixed length, so the concatenation is unambiguous. */
function headOf(identity: string, rowDigest: string, fieldsJson: string): string {
  return `1:${digest(identity + rowDigest + fieldsJson)
    .subarray(0, 16)
    .toString('base64url')}:`;
}

/** Hashes UTF-16: in UTF-8, all unpaired surrogates would have the same bytes. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf16le').digest();
}

function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}
