import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from './redis.js';

export interface TestCluster extends AsyncDisposable {
  readonly url: string;
  readonly nodes: readonly TestRedis[];
  /** To each node. */
  readonly clients: readonly Redis[];
}

const slotCount = 16_384;

/** A real cluster of three masters with these settings. */
export async function startCluster(settings: readonly string[] = []): Promise<TestCluster> {
  const ours = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...settings];
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis({ settings: ours })));
  const clients = nodes.map(({ url }) => new Redis(url));
  for (const [k, client] of clients.entries()) {
    const from = Math.floor((k * slotCount) / 3);
    const to = Math.floor(((k + 1) * slotCount) / 3) - 1;
    const slots = Array.from({ length: to - from + 1 }, (_, n) => from + n);
    await client.call('CLUSTER', 'ADDSLOTS', ...slots);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', k + 1);
    if (k > 0) await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', (nodes[k] as TestRedis).port);
  }
  for (const client of clients) {
    for (let tries = 0; !/cluster_state:ok.*known_nodes:3/s.test(await client.cluster('INFO')); tries += 1) {
      if (tries > 300) throw new Error('the cluster does not form');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    clients,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
