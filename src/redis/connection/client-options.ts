import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { closeTimeoutMs, connectTimeoutMs } from './connection.js';
import type { RedisAddress } from './redis-address.js';

/** Routers drop connections that are idle for some minutes. */
const keepAliveMs = 10_000;

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
    enableReadyCheck: false,
    // An old Redis, a proxy or narrow permissions could refuse HELLO and CLIENT SETINFO.
    protocol: 2,
    disableClientInfo: true,
  } satisfies RedisOptions;
}
