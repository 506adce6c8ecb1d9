import { readFileSync } from 'node:fs';
import fp from 'fastify-plugin';
import type { Config } from '../config/read-config.js';
import { ConfigError, messageOf } from '../errors.js';
import { type RedisAddress, readRedisAddress } from '../redis/connection/redis-address.js';
import type { RedisLink } from '../redis/redis-link.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Null if no Redis is configured. A link whose Redis is down is not null. */
    readonly redis: RedisLink | null;
  }
}

/** The prefix of all keys of Sardonyx. Other programs may use the same Redis. */
export const redisPrefix = 'sardonyx:';

/** The prefix of all keys that one script may use. A Redis cluster keeps keys with the same text in braces together. */
export const limitPrefix = `${redisPrefix}{limit}:`;

export type RedisConfig = Pick<
  Config,
  | 'REDIS_URL'
  | 'REDIS_TIMEOUT_MS'
  | 'REDIS_SENTINEL_USER'
  | 'REDIS_SENTINEL_PASSWORD'
  | 'REDIS_TLS_CA_FILE'
  | 'REDIS_TLS_CERT_FILE'
  | 'REDIS_TLS_KEY_FILE'
>;

/**
 * Connects to Redis in the background, so that a Redis that is down neither delays nor fails the start. Logs one line
 * when Redis goes down and one when it is up again.
 */
export default fp<RedisConfig>(
  async function redisPlugin(app, config) {
    const { REDIS_URL: url } = config;
    if (url === undefined) {
      app.decorate('redis', null);
      return;
    }
    const degraded = app.metrics.counter(
      'degraded_total',
      'Operations that ran without Redis, by part of the server',
    );
    const counters = {
      cache: degraded.series({ part: 'cache' }),
      limits: degraded.series({ part: 'limits' }),
      feedback: degraded.series({ part: 'feedback' }),
      log: degraded.series({ part: 'log' }),
    };
    const reconnects = app.metrics
      .counter('redis_reconnects_total', 'Connections to Redis that were closed while Redis was up')
      .series({});
    const refusals = app.metrics.counter(
      'redis_refused_commands_total',
      'Times that Redis refused a command that the server needs',
    );
    // Imported here, because ioredis costs a start without Redis 0.1 s and 6 MB.
    const { createRedisLink } = await import('../redis/redis-link.js');
    const { address, tlsFiles, sentinelLogin } = readRedisSettings(url, config);
    const link = createRedisLink(address, {
      probeKey: `${limitPrefix}probe`,
      answerTimeoutMs: config.REDIS_TIMEOUT_MS,
      tlsFiles,
      sentinelLogin,
      onReconnect: () => reconnects.add(1),
      onRefusal: (command) => refusals.series({ command }).add(1),
      onRefused: (commands) => {
        if (commands.length === 0) app.log.info('Redis no longer refuses any command');
        else
          app.log.warn({ commands }, `Redis refuses commands that the server needs: ${commands.join(', ')}`);
      },
      onDegraded: (part) => counters[part].add(1),
      onChange: (change) => {
        if (change.state === 'up') app.log.info({ away_ms: Math.round(change.awayMs) }, 'Redis is up');
        else app.log.warn({ reason: change.reason, err: change.error }, `Redis is down: ${change.reason}`);
      },
    });
    app.decorate('redis', link);
    app.addHook('onClose', () => link.close());
  },
  { name: 'redis', fastify: '5.x', dependencies: ['metrics'] },
);

/** What all connections to Redis need. Throws `ConfigError` if another setting of Redis does not fit the address. */
export function readRedisSettings(url: string, config: RedisConfig) {
  return {
    address: readAddress(url, config),
    tlsFiles: {
      caFile: config.REDIS_TLS_CA_FILE,
      certFile: config.REDIS_TLS_CERT_FILE,
      keyFile: config.REDIS_TLS_KEY_FILE,
    },
    sentinelLogin: { username: config.REDIS_SENTINEL_USER, password: config.REDIS_SENTINEL_PASSWORD },
  };
}

function readAddress(url: string, config: RedisConfig): RedisAddress {
  let address: RedisAddress;
  try {
    address = readRedisAddress(url);
  } catch (error) {
    throw new ConfigError([`REDIS_URL: ${messageOf(error)}`]);
  }
  const lines: string[] = [];
  for (const name of ['REDIS_TLS_CA_FILE', 'REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'] as const) {
    const file = config[name];
    if (file === undefined) continue;
    if (!address.isSecure) lines.push(`${name}: needs a REDIS_URL that begins with rediss`);
    else lines.push(...findUnreadable(name, file));
  }
  for (const name of ['REDIS_SENTINEL_USER', 'REDIS_SENTINEL_PASSWORD'] as const) {
    if (config[name] !== undefined && address.topology.kind !== 'sentinel')
      lines.push(`${name}: needs a REDIS_URL that begins with redis+sentinel:// or rediss+sentinel://`);
  }
  if (lines.length > 0) throw new ConfigError(lines);
  return address;
}

function findUnreadable(name: string, file: string): readonly string[] {
  try {
    readFileSync(file);
    return [];
  } catch (error) {
    return [`${name}: cannot be read: ${messageOf(error)}`];
  }
}
