import type { ConnectionOptions } from 'node:tls';
import { Redis, type RedisOptions } from 'ioredis';
import { withDeadline } from '../../time/deadline.js';
import { createClientOptions } from './client-options.js';
import { type Connection, type ConnectionEvents, closeTimeoutMs, connectTimeoutMs } from './connection.js';
import type { RedisAddress } from './redis-address.js';
import { createGatherer } from './write-batching.js';

export interface SentinelLogin {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

const noHandshakeInTime = Object.assign(new Error('the login was not answered in time'), {
  code: 'ETIMEDOUT',
});

/** One socket to the configured server, or to the master that Sentinels name at each connect. */
export function createServerConnection(
  address: RedisAddress,
  tls: ConnectionOptions | undefined,
  sentinelLogin: SentinelLogin,
  probeKey: string,
  { onReady, onClose, reconnectDelayMs }: ConnectionEvents,
): Connection {
  const gather = createGatherer();
  let handshakeTimer: NodeJS.Timeout | undefined;
  let connectTimer: NodeJS.Timeout | undefined;
  let isClosed = false;
  /** The error of this connection, until its close event. */
  let lastError: unknown;

  const redis = new Redis({
    ...createClientOptions(address, tls),
    ...findServer(address, tls, sentinelLogin),
    retryStrategy: reconnectDelayMs,
  });
  redis.on('connect', () => {
    handshakeTimer = setTimeout(() => {
      lastError = noHandshakeInTime;
      redis.disconnect(true);
    }, connectTimeoutMs);
  });
  redis.on('error', (error) => {
    lastError = error;
  });
  redis.on('ready', () => {
    clearTimeout(handshakeTimer);
    lastError = undefined;
    onReady();
  });
  redis.on('close', () => {
    clearTimeout(handshakeTimer);
    const error = lastError;
    lastError = undefined;
    onClose(error);
  });
  // ioredis does not retry if it could not open a socket: no Sentinel knows the master, or a TLS file is invalid.
  redis.on('end', () => {
    if (isClosed) return;
    const error = lastError;
    lastError = undefined;
    onClose(error);
    connectTimer = setTimeout(connect, reconnectDelayMs());
  });
  connect();

  function connect(): void {
    redis.connect().catch(() => undefined);
  }

  return {
    commands: redis as Connection['commands'],
    get isReady() {
      return redis.status === 'ready';
    },
    gather: () => gather(redis.stream),
    // ioredis's own option `db` falls back to database 0 if SELECT fails.
    select: (db) => redis.call('SELECT', db),
    isNodeOfCluster: async () => /cluster_enabled:1/.test(await redis.info('cluster')),
    probeKeys: () => [probeKey],
    reconnect: () => redis.disconnect(true),
    async close(isAnswering) {
      isClosed = true;
      clearTimeout(handshakeTimer);
      clearTimeout(connectTimer);
      const { stream } = redis;
      // The reply to QUIT comes after those of all pending commands.
      if (isAnswering && redis.status === 'ready') {
        await withDeadline(redis.quit(), closeTimeoutMs).catch(() => undefined);
      }
      redis.disconnect();
      // ioredis destroys a socket that does not close within `disconnectTimeout`.
      if (stream !== undefined && !stream.destroyed) {
        await new Promise((resolve) => stream.once('close', resolve));
      }
    },
  };
}

/** Where the server is, or how Sentinels are asked for it. */
export function findServer(
  { topology }: RedisAddress,
  tls: ConnectionOptions | undefined,
  login: SentinelLogin,
) {
  if (topology.kind === 'server') return { ...topology.node };
  if (topology.kind === 'cluster') return {};
  return {
    sentinels: [...topology.sentinels],
    name: topology.master,
    role: 'master',
    ...(login.username !== undefined && { sentinelUsername: login.username }),
    ...(login.password !== undefined && { sentinelPassword: login.password }),
    sentinelCommandTimeout: connectTimeoutMs,
    // For some 8 s after a failover the old master accepts writes, which are lost. Sentinels report it sooner.
    failoverDetector: true,
    // Each Sentinel is asked once. Then the attempt has failed, and `reconnectDelayMs` applies.
    sentinelRetryStrategy: () => null,
    ...(tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  } satisfies RedisOptions;
}
