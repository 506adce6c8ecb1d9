import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { closeTimeoutMs, connectTimeoutMs } from './connection.js';
import type { RedisAddress } from './redis-address.js';

/** A router forgets a connection on which nothing came for some minutes. */
const keepAliveMs = 10_000;

/** What holds for each socket to a Redis, however it was found. */
export function createClientOptions(
  { username, password }: RedisAddress,
  tls: ConnectionOptions | undefined,
) {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: closeTimeoutMs / 2,
    keepAlive: keepAliveMs,
    // The probe finds out more, and as often as is good.
    enableReadyCheck: false,
    // Nothing is said at first that an old Redis, a proxy or a narrow list of permissions could refuse.
    protocol: 2,
    disableClientInfo: true,
  } satisfies RedisOptions;
}
