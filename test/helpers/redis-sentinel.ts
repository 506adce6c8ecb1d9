import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from './redis.js';

export interface TestSentinel extends AsyncDisposable {
  /** The URL of the Sentinel, with the name of the master. */
  readonly url: string;
  readonly master: TestRedis;
  readonly replica: TestRedis;
  /** To the Sentinel. */
  readonly client: Redis;
  /** Makes the Sentinel promote the replica. Resolves once the Sentinel reports it as master. */
  failOver(): Promise<void>;
}

/** A real master, its replica, and a Sentinel that watches both. */
export async function startSentinel({ password = '' } = {}): Promise<TestSentinel> {
  const master = await startRedis();
  const replica = await startRedis({ settings: ['--replicaof', '127.0.0.1', String(master.port)] });
  const sentinel = await startRedis({
    sentinel: [
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds mymaster 1000',
      'sentinel failover-timeout mymaster 2000',
      ...(password === '' ? [] : [`requirepass ${password}`]),
    ],
  });
  const client = new Redis(sentinel.url, { enableReadyCheck: false, ...(password !== '' && { password }) });
  const wait = async (isReached: () => Promise<boolean>) => {
    for (let tries = 0; !(await isReached()); tries += 1) {
      if (tries > 300) throw new Error('the Sentinel does not reach this state');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  // The Sentinel learns about replicas from the master.
  await wait(async () => ((await client.call('SENTINEL', 'REPLICAS', 'mymaster')) as unknown[]).length === 1);
  return {
    url: `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`,
    master,
    replica,
    client,
    async failOver() {
      await wait(
        async () => (await client.call('SENTINEL', 'FAILOVER', 'mymaster').catch(() => '')) === 'OK',
      );
      await wait(async () => {
        const found = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')) as string[];
        return found[1] === String(replica.port);
      });
    },
    async [Symbol.asyncDispose]() {
      client.disconnect();
      await Promise.all([sentinel.stop(), replica.stop(), master.stop()]);
    },
  };
}
