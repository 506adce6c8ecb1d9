import { Cluster, Redis, type RedisOptions, ReplyError } from 'ioredis';
import { createClientOptions } from './client-options.js';
import type { RedisAddress } from './redis-address.js';
import { findServer, type SentinelLogin } from './server-connection.js';
import { readTlsFiles, type TlsFiles } from './tls-files.js';

/** How a client treats a Redis that is away. */
export type Patience =
  /** A command without a connection fails at once, and a connection without replies is closed. */
  | 'none'
  /** Commands wait for the connection: BullMQ requires it of a worker, whose blocking command waits for seconds. */
  | 'endless';

export type QueueClient = Redis | Cluster;

export interface QueueAddress {
  readonly address: RedisAddress;
  readonly tlsFiles?: TlsFiles | undefined;
  readonly sentinelLogin?: SentinelLogin | undefined;
}

const retryMs = 500;
/** A connection without replies for so long is closed. A blocking command of BullMQ waits for up to 10 s. */
const silenceMs = { none: 2_000, endless: 20_000 } as const;

/**
 * Closes each connection of a client, and of its duplicates, whose database cannot be selected: ioredis 6 only reports
 * the error, and would run all later commands in database 0.
 */
function requireDatabase(client: Redis): Redis {
  const select = client.select.bind(client);
  const duplicate = client.duplicate.bind(client);
  return Object.assign(client, {
    async select(db: number): Promise<'OK'> {
      try {
        return await select(db);
      } catch (error) {
        if (!(error instanceof ReplyError)) throw error;
        // The connection must not become ready meanwhile.
        const closed = new Promise((resolve) => client.once('close', resolve));
        client.disconnect(true);
        await closed;
        throw error;
      }
    },
    // BullMQ duplicates the connection of a worker.
    duplicate: (options?: RedisOptions) => requireDatabase(duplicate(options)),
  }) as Redis;
}

/** A client of ioredis that reconnects forever. Throws if a TLS file cannot be read. */
export function createQueueClient(
  { address, tlsFiles = {}, sentinelLogin = {} }: QueueAddress,
  patience: Patience,
): QueueClient {
  const tls = address.isSecure ? readTlsFiles(tlsFiles) : undefined;
  const isEndless = patience === 'endless';
  const options = {
    ...createClientOptions(address, tls),
    lazyConnect: false,
    enableOfflineQueue: isEndless,
    maxRetriesPerRequest: isEndless ? null : 0,
    socketTimeout: silenceMs[patience],
    retryStrategy: () => retryMs,
  } satisfies RedisOptions;
  if (address.topology.kind === 'cluster') {
    return new Cluster([...address.topology.nodes], {
      redisOptions: options,
      enableOfflineQueue: isEndless,
      enableReadyCheck: false,
      scaleReads: 'master',
      clusterRetryStrategy: () => retryMs,
      // With TLS the name must stay, since certificates contain names and not addresses.
      ...(tls !== undefined && { dnsLookup: (name, done) => done(null, name) }),
    });
  }
  const client = new Redis({
    ...options,
    ...findServer(address, tls, sentinelLogin),
    sentinelRetryStrategy: () => retryMs,
    db: address.db,
  });
  return requireDatabase(client);
}
