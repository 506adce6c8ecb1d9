import { RefusedByRedis } from '../../redis/redis-errors.js';
import type { RedisLink } from '../../redis/redis-link.js';
import { defineScript, runScript } from '../../redis/script.js';
import type { LogSink } from './sink.js';

/** KEYS: the stream. ARGV: about how many entries it keeps, then the lines. */
const appendScript = defineScript(`
for k = 2, #ARGV - 1 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'line', ARGV[k])
end
return {#ARGV - 2}
`);

/**
 * A stream in Redis: each entry has one field, `line`. If Redis has not answered in time, the lines are sent again, and
 * may be in the stream twice: `prediction_id` shows it.
 */
export function createRedisStream(link: Pick<RedisLink, 'ask'>, key: string, maxLines: number): LogSink {
  return {
    maxWriteBytes: 65_536,
    async write(bytes) {
      const lines = bytes.toString().split('\n');
      lines.pop();
      const reply = await link.ask('log', (redis) =>
        runScript(redis, appendScript, [key], [maxLines, ...lines]),
      );
      if (reply === undefined) throw new Error('Redis is away, or did not answer in time');
      if (reply instanceof RefusedByRedis) throw new Error(`Redis refuses the stream ${key}: ${reply.code}`);
      return bytes.length;
    },
    close: async () => undefined,
  };
}
