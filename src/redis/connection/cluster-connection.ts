import type { ConnectionOptions } from 'node:tls';
import { Cluster, type Redis } from 'ioredis';
import { createClientOptions } from './client-options.js';
import {
  type Commands,
  type Connection,
  type ConnectionEvents,
  closeTimeoutMs,
  connectTimeoutMs,
} from './connection.js';
import { slotOf } from './key-slot.js';
import type { RedisAddress, RedisNode } from './redis-address.js';

export function createClusterConnection(
  address: RedisAddress,
  nodes: readonly RedisNode[],
  tls: ConnectionOptions | undefined,
  probeKey: string,
  { onReady, onClose, reconnectDelayMs }: ConnectionEvents,
): Connection {
  let lastError: unknown;
  const cluster = new Cluster([...nodes], {
    redisOptions: createClientOptions(address, tls),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    scaleReads: 'master',
    slotsRefreshTimeout: connectTimeoutMs,
    // Bounds the time of a command.
    maxRedirections: 3,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 10,
    clusterRetryStrategy: reconnectDelayMs,
    // With TLS the name must stay, since certificates contain names and not addresses.
    ...(tls !== undefined && { dnsLookup: (name, done) => done(null, name) }),
  });
  cluster.on('error', (error) => {
    lastError = error;
  });
  cluster.on('ready', () => {
    lastError = undefined;
    onReady();
  });
  cluster.on('close', () => onClose(lastError));
  cluster.connect().catch(() => undefined);

  const commands = {
    getrange: cluster.getrange.bind(cluster),
    set: cluster.set.bind(cluster),
    unlink: cluster.unlink.bind(cluster),
    eval: cluster.eval.bind(cluster),
    evalsha: cluster.evalsha.bind(cluster),
    scan: (cursor, ...pattern) => scanAll(cluster.nodes('master'), cursor, pattern),
  } as Commands;

  return {
    commands,
    get isReady() {
      return cluster.status === 'ready';
    },
    gather: () => undefined,
    select: async () => undefined,
    isNodeOfCluster: async () => false,
    probeKeys: () => findProbeKeys(cluster.slots, probeKey),
    reconnect: () => cluster.disconnect(true),
    async close() {
      const sockets = cluster.nodes().map(({ stream }) => stream);
      const open = sockets.filter((stream) => stream !== undefined && !stream.destroyed);
      const ended = open.map((stream) => new Promise((resolve) => stream.once('close', resolve)));
      cluster.disconnect();
      await Promise.race([
        Promise.all(ended),
        new Promise((resolve) => setTimeout(resolve, 2 * closeTimeoutMs).unref()),
      ]);
    },
  };
}

/** `probeKey`, and a key for each of the other masters. */
function findProbeKeys(slots: readonly (readonly string[])[], probeKey: string): readonly string[] {
  const masters = new Set(slots.map((nodeKeys) => nodeKeys?.[0]));
  const keys = [probeKey];
  masters.delete(slots[slotOf(probeKey)]?.[0]);
  for (let tag = 0; masters.size > 0 && tag < 1_000; tag += 1) {
    const key = `${probeKey.replace(/\{.*?\}:/, '')}:{${tag}}`;
    if (masters.delete(slots[slotOf(key)]?.[0])) keys.push(key);
  }
  return keys;
}

/** The cursor names the current master: `host:port/cursor`. */
async function scanAll(
  masters: readonly Redis[],
  cursor: string,
  pattern: readonly ['MATCH', string, 'COUNT', number] | readonly unknown[],
): Promise<[string, string[]]> {
  const names = masters.map(({ options }) => `${options.host}:${options.port}`);
  const order = names.toSorted();
  const at = cursor.lastIndexOf('/');
  const name = at < 0 ? (order[0] as string) : cursor.slice(0, at);
  const node = masters[names.indexOf(name)];
  if (node === undefined) throw new Error('a master has left the cluster');
  const scan = node.scan as unknown as (...args: unknown[]) => Promise<[string, string[]]>;
  const [next, keys] = await scan.call(node, cursor.slice(at + 1), ...pattern);
  if (next !== '0') return [`${name}/${next}`, keys];
  const following = order[order.indexOf(name) + 1];
  return [following === undefined ? '0' : `${following}/0`, keys];
}
