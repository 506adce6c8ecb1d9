import { readFileSync } from 'node:fs';
import fp from 'fastify-plugin';
import type { Config } from '../config/read-config.js';
import { ConfigError, messageOf } from '../errors.js';
import { type RedisAddress, readRedisAddress } from '../redis/connection/redis-address.js';
import type { RedisLink } from '../redis/redis-link.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Null where no Redis is configured. One that is away is not null. */
    readonly redis: RedisLink | null;
  }
}

/** Begins every key of ours in a Redis that may be shared with others. */
export const redisPrefix = 'sardonyx:';

/** Of all that one script may touch: in a cluster, the keys with the same text in braces are on one server. */
export const limitPrefix = `${redisPrefix}{limit}:`;

type RedisConfig = Pick<
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
 * The connection to Redis, made in the background: one that is down never delays or fails the start. Counts each
 * decision to go on without it, and logs one line when it goes and one when it is back.
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
      'Decisions to go on without Redis, by who took them',
    );
    const counters = {
      cache: degraded.series({ part: 'cache' }),
      limits: degraded.series({ part: 'limits' }),
    };
    const reconnects = app.metrics
      .counter('redis_reconnects_total', 'Connections to Redis that were closed while all was well')
      .series({});
    const refusals = app.metrics.counter(
      'redis_refused_commands_total',
      'Times that Redis was found to refuse a command that is needed',
    );
    // Only here: what it stands on takes 0.1 s and 6 MB of a start that has no use for it.
    const { createRedisLink } = await import('../redis/redis-link.js');
    const link = createRedisLink(readAddress(url, config), {
      probeKey: `${limitPrefix}probe`,
      answerTimeoutMs: config.REDIS_TIMEOUT_MS,
      tlsFiles: {
        caFile: config.REDIS_TLS_CA_FILE,
        certFile: config.REDIS_TLS_CERT_FILE,
        keyFile: config.REDIS_TLS_KEY_FILE,
      },
      sentinelLogin: { username: config.REDIS_SENTINEL_USER, password: config.REDIS_SENTINEL_PASSWORD },
      onReconnect: () => reconnects.add(1),
      onRefusal: (command) => refusals.series({ command }).add(1),
      onRefused: (commands) => {
        if (commands.length === 0) app.log.info('Redis refuses no command any more');
        else app.log.warn({ commands }, `Redis refuses what is needed: ${commands.join(', ')}`);
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

/** Reads the address, and throws `ConfigError` where a setting beside it has no use there. */
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
