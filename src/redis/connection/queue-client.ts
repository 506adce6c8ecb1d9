import { Cluster, Redis, type RedisOptions } from 'ioredis';
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
  return new Redis({
    ...options,
    ...findServer(address, tls, sentinelLogin),
    sentinelRetryStrategy: () => retryMs,
    db: address.db,
  });
}
