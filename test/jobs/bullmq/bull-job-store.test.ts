import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Loss } from '../../../src/jobs/bullmq/losses.js';
import type { Job } from '../../../src/jobs/queue/job.js';
import type { JobStore } from '../../../src/jobs/queue/job-store.js';
import {
  describeJobStore,
  echo,
  expectedResults,
  readAll,
  specOf,
  submit,
  until,
  waitForEnd,
} from '../../contracts/job-store.js';
import { type BullWorld, createBullWorld } from '../../helpers/bull-world.js';
import { startRedis } from '../../helpers/redis.js';
import { startCluster } from '../../helpers/redis-cluster.js';
import { startSentinel } from '../../helpers/redis-sentinel.js';
import { startTcpProxy } from '../../helpers/tcp-proxy.js';

describeJobStore('BullMQ', () => createBullWorld());

/** Rows that gzip cannot shrink. */
async function submitNoise(store: JobStore, megabytes: number): Promise<Job> {
  const draft = await store.begin();
  try {
    for (let k = 0; k < megabytes; k += 1) {
      const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(49_152)));
      const line = ` ["${noise.toString('base64')}"]\n`;
      const lines = Buffer.from(line.repeat(1).concat(randomLines(14)));
      await draft.add(lines, { rows: 15, bytes: lines.length });
    }
    return await draft.accept(specOf());
  } finally {
    await draft.discard();
  }
}

function randomLines(count: number): string {
  const line = () => Buffer.from(crypto.getRandomValues(new Uint8Array(49_152))).toString('base64');
  return Array.from({ length: count }, () => ` ["${line()}"]\n`).join('');
}

async function keysOf({ client, prefix }: BullWorld): Promise<readonly string[]> {
  const keys = await client.keys(`${prefix}*`);
  return keys.map((key) => key.slice(prefix.length)).filter((key) => !/^(q:|swept)/.test(key));
}

test.each(['abc ', '', '1e3 ', '-1 '])('a job whose chunk has the place %j in Redis fails', async (place) => {
  await using world = await createBullWorld();
  const store = world.open();
  const job = await submit(store, { rows: 3, chunkRows: 3 });
  const key = `${world.prefix}job:${job.id}:rows`;
  const stored = await world.client.hgetBuffer(key, '0');
  await world.client.hset(key, '0', Buffer.concat([Buffer.from(place), stored?.subarray(2) as Buffer]));
  store.work(echo);
  expect((await waitForEnd(store, job)).failure).toEqual({
    code: 'internal',
    detail: 'The stored job cannot be read: the place of a chunk in Redis is damaged.',
  });
});

test('every key of a job expires, and the queue keeps no entry of it', async () => {
  await using world = await createBullWorld();
  const store = world.open({ keepMs: 700 });
  store.work(echo);
  const job = await submit(store, { rows: 40, chunkRows: 1, key: 'key' });
  await waitForEnd(store, job);
  await until(async () => (await keysOf(world)).every((key) => /^(owner|ended)/.test(key)));
  // The lists of ids are cleared by the sweep, each 5 s.
  await until(async () => (await keysOf(world)).length === 0);
  await until(async () => (await world.client.keys(`${world.prefix}q:chunks:${job.id}*`)).length === 0);
});

test('the keys of a draft whose submitter is gone expire', async () => {
  await using world = await createBullWorld();
  const draft = await world.open().begin();
  await draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 });
  const keys = await keysOf(world);
  expect(keys).toHaveLength(1);
  const ttl = await world.client.pttl(`${world.prefix}${keys[0]}`);
  expect(ttl).toBeGreaterThan(0);
  expect(ttl).toBeLessThanOrEqual(900_000);
});

test('at most 32 chunks of a job are in the queue at once', async () => {
  await using world = await createBullWorld();
  const store = world.open();
  await submit(store, { rows: 100, chunkRows: 1 });
  expect(await world.client.llen(`${world.prefix}q:chunks:wait`)).toBe(32);
});

test('chunks that were not added to the queue, or that it has lost, are added by a sweep', async () => {
  await using world = await createBullWorld();
  const store = world.open();
  const job = await submit(store, { rows: 40, chunkRows: 1 });
  const entries = await world.client.keys(`${world.prefix}q:*`);
  await world.client.del(entries);
  store.work(echo);
  const last = await waitForEnd(store, job, 20_000);
  expect(await readAll(store, last)).toEqual(expectedResults(40));
});

test('a job larger than JOBS_REDIS_MAX_MB is refused without JOBS_DIR, and nothing of it stays', async () => {
  await using world = await createBullWorld();
  const store = world.open({ maxRedisBytes: 1_048_576 });
  await expect(submitNoise(store, 3)).rejects.toMatchObject({
    code: 'body_too_large',
    detail: expect.stringMatching(/1 MB .*JOBS_REDIS_MAX_MB.*JOBS_DIR/),
  });
  await until(async () => (await keysOf(world)).length === 0);
});

test('results larger than JOBS_REDIS_MAX_MB fail the job without JOBS_DIR', async () => {
  await using world = await createBullWorld();
  const store = world.open({ maxRedisBytes: 100_000 });
  const job = await submit(store);
  store.work(async () => ({ lines: Buffer.from(randomLines(4)), completed: 5, failed: 0 }));
  expect(await waitForEnd(store, job)).toMatchObject({
    state: 'failed',
    failure: { code: 'output_too_large', detail: expect.stringMatching(/JOBS_DIR/) },
  });
});

test('with JOBS_DIR a large job is in files, which are removed with it', async () => {
  await using world = await createBullWorld();
  const stores = [0, 1].map(() => world.open({ maxRedisBytes: 100_000, hasDir: true, keepMs: 4_000 }));
  const [store, other] = stores as unknown as [JobStore, JobStore];
  const job = await submitNoise(store, 3);
  expect(await world.listFolders()).toEqual([job.id]);
  const seen: Buffer[] = [];
  for (const it of stores) {
    it.work(async ({ rows, firstRow }) => {
      const lines = await rows.load();
      seen[firstRow / 15] = lines;
      return { lines, completed: 15, failed: 0 };
    });
  }
  const last = await waitForEnd(other, job);
  expect(last).toMatchObject({ state: 'completed', completedRows: 45 });
  expect(Buffer.concat(seen).toString().split('\n').length).toBe(46);
  expect((await readAll(store, last)).map((line) => line.trim())).toEqual(
    Buffer.concat(seen)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => line.trim()),
  );
  await until(async () => (await world.listFolders()).length === 0);
});

test('a job whose files are gone fails with the reason', async () => {
  await using world = await createBullWorld();
  const store = world.open({ maxRedisBytes: 0, hasDir: true });
  const job = await submit(store);
  const bare = world.open({ maxRedisBytes: 0 });
  bare.work(echo);
  expect(await waitForEnd(bare, job)).toMatchObject({
    state: 'failed',
    failure: { code: 'internal', detail: expect.stringMatching(/JOBS_DIR/) },
  });
});

test('two processes that run the same chunk store one result', async () => {
  await using world = await createBullWorld();
  const [one, two] = [world.open(), world.open()];
  const job = await submit(one, { rows: 1 });
  let runs = 0;
  const slow = async (text: string) => {
    runs += 1;
    // The entry is in the queue twice, as after a lock that ran out.
    if (runs === 1) {
      const entry = `${job.id}-0`;
      await world.client.del(`${world.prefix}q:chunks:${entry}:lock`);
      await world.client.lrem(`${world.prefix}q:chunks:active`, 1, entry);
      await world.client.rpush(`${world.prefix}q:chunks:wait`, entry);
      await world.client.zadd(`${world.prefix}q:chunks:marker`, 0, '0');
    }
    await until(async () => runs === 2);
    return { lines: Buffer.from(`${text}\n`), completed: 1, failed: 0 };
  };
  one.work(() => slow('"one"'));
  two.work(() => slow('"two"'));
  const last = await waitForEnd(two, job);
  expect(last).toMatchObject({ state: 'completed', completedRows: 1 });
  expect(await readAll(two, last)).toHaveLength(1);
});

test('rows that end every process that runs them fail the job', async () => {
  await using world = await createBullWorld();
  const store = world.open();
  const job = await submit(store, { rows: 1 });
  // What BullMQ counts when it finds a chunk whose process is gone.
  await world.client.hset(`${world.prefix}q:chunks:${job.id}-0`, 'stc', 5);
  store.work(echo);
  expect(await waitForEnd(store, job)).toMatchObject({
    state: 'failed',
    failure: {
      code: 'executor_lost',
      detail: 'Rows of the job have ended the process that ran them, 5 times.',
    },
  });
});

test.each(['killed', 'frozen'] as const)('every method throws within 1 s when Redis is %s', async (fault) => {
  await using redis = await startRedis();
  await using world = await createBullWorld(redis.url);
  const troubles: unknown[] = [];
  const store = world.open({ events: { onTrouble: (error) => troubles.push(error) } });
  const job = await submit(store);
  const draft = await store.begin();
  await draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 });
  if (fault === 'killed') await redis.stop();
  else redis.freeze();
  try {
    for (let round = 0; round < 2; round += 1) {
      const calls = {
        begin: () => store.begin(),
        add: () => draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 }),
        accept: () => draft.accept(specOf()),
        find: () => store.find('alice', job.id),
        list: () => store.list('alice', 10),
        cancel: () => store.cancel(job),
        readResults: () => store.readResults(job, 0),
        counts: () => store.counts(),
      };
      for (const [name, call] of Object.entries(calls)) {
        const at = performance.now();
        await expect(call(), name).rejects.toMatchObject({
          code: 'jobs_unavailable',
          headers: { 'retry-after': '5' },
        });
        expect(performance.now() - at, name).toBeLessThan(1_000);
      }
    }
    expect(troubles).toHaveLength(1);
    const at = performance.now();
    await store.close();
    expect(performance.now() - at).toBeLessThan(3_000);
  } finally {
    if (fault === 'frozen') redis.thaw();
  }
});

test('a submission whose Redis freezes after its first rows is refused within 1 s', async () => {
  await using redis = await startRedis();
  await using world = await createBullWorld(redis.url);
  const store = world.open();
  const draft = await store.begin();
  await draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 });
  redis.freeze();
  try {
    const at = performance.now();
    await expect(
      draft.add(Buffer.from(' [2]\n'), { rows: 1, bytes: 5 }).finally(() => draft.discard()),
    ).rejects.toMatchObject({ code: 'jobs_unavailable' });
    expect(performance.now() - at).toBeLessThan(1_000);
  } finally {
    redis.thaw();
  }
});

test('a frozen Redis that continues does not accept what was refused', async () => {
  await using redis = await startRedis();
  await using world = await createBullWorld(redis.url);
  const store = world.open();
  const draft = await store.begin();
  await draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 });
  redis.freeze();
  await expect(draft.accept(specOf(), { key: 'key', digest: 'digest' })).rejects.toMatchObject({
    code: 'jobs_unavailable',
  });
  redis.thaw();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await store.list('alice', 10)).toEqual([]);
  expect(await store.counts()).toMatchObject({ queued: 0, running: 0 });
});

test('a job whose acceptance had no reply is revoked, unless another submission has found it', async () => {
  await using redis = await startRedis();
  await using proxy = await startTcpProxy(redis.port);
  await using world = await createBullWorld(`redis://127.0.0.1:${proxy.port}`, redis.url);
  await using near = await createBullWorld(redis.url, redis.url, world.prefix);
  // The second chunk is a file.
  const store = world.open({ hasDir: true, maxRedisBytes: 20 });
  const nearStore = near.open();
  // Redis knows the scripts: else their source would be sent only after a first reply.
  await submit(nearStore, { owner: 'bob' });
  const found: Job[] = [];
  for (const key of ['revoked', 'found']) {
    const draft = await until(() => store.begin().catch(() => undefined));
    for (const row of [0, 1]) {
      const line = Buffer.from(` [${row}]\n`.padEnd(16));
      await draft.add(line, { rows: 1, bytes: line.length });
    }
    expect(await world.listFolders()).toHaveLength(1);
    proxy.drip(0.1);
    await expect(
      draft.accept(specOf(), { key, digest: 'digest' }).finally(() => draft.discard()),
    ).rejects.toMatchObject({ code: 'jobs_unavailable' });
    expect(await nearStore.list('alice', 10)).toHaveLength(1);
    if (key === 'found') found.push(await submit(nearStore, { key }));
    proxy.pass();
    proxy.cut();
    if (key === 'found') await new Promise((resolve) => setTimeout(resolve, 3_000));
    else {
      await until(async () => (await nearStore.list('alice', 10)).length === 0);
      await until(async () => (await world.listFolders()).length === 0);
    }
  }
  const [job] = found as [Job];
  expect((await nearStore.list('alice', 10)).map(({ id }) => id)).toEqual([job.id]);
  // Its rows are still there.
  store.work(echo);
  const ended = await waitForEnd(nearStore, job);
  expect(ended).toMatchObject({ state: 'completed', completedRows: 2 });
  expect(await readAll(store, ended)).toEqual(expectedResults(2));
});

test('a worker goes on after Redis was frozen, killed and emptied', async () => {
  await using redis = await startRedis({ settings: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  await using world = await createBullWorld(redis.url);
  const store = world.open();
  store.work(async (work) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    return await echo(work);
  });
  const job = await submit(store, { rows: 60, chunkRows: 1 });
  await until(async () => ((await store.find('alice', job.id))?.completedRows ?? 0) > 5);
  redis.freeze();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  redis.thaw();
  const last = await waitForEnd(store, job);
  expect(await readAll(store, last)).toEqual(expectedResults(60));
  const doomed = await submit(store, { rows: 60, chunkRows: 1 });
  await until(async () => ((await store.find('alice', doomed.id))?.completedRows ?? 0) > 5);
  await world.client.flushall();
  expect(await store.find('alice', doomed.id)).toBe(undefined);
  const next = await submit(store, { rows: 20, chunkRows: 1 });
  expect(await readAll(store, await waitForEnd(store, next))).toEqual(expectedResults(20));
});

test.each([
  [['--save', '', '--appendonly', 'no'], ['no_persistence']],
  [['--save', '60 1', '--appendonly', 'no', '--maxmemory', '50mb'], ['snapshots_only']],
  [
    ['--appendonly', 'yes', '--maxmemory', '50mb', '--maxmemory-policy', 'volatile-ttl'],
    ['results_eviction'],
  ],
  [['--appendonly', 'yes', '--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lfu'], ['eviction']],
  [['--appendonly', 'yes', '--maxmemory-policy', 'allkeys-lru'], []],
] as const)('a Redis with %s may lose jobs by %s', async (settings, expected) => {
  await using redis = await startRedis({ settings });
  await using world = await createBullWorld(redis.url);
  let found: readonly Loss[] | undefined;
  world.open({
    onLosses: (losses) => {
      found = losses;
    },
  });
  expect(await until(async () => found)).toEqual(expected);
});

test('a Redis whose settings cannot be read is named', async () => {
  await using redis = await startRedis();
  await using world = await createBullWorld(redis.url);
  await world.client.call('ACL', 'SETUSER', 'default', '-config|get');
  let found: readonly Loss[] | undefined;
  const store = world.open({
    onLosses: (losses) => {
      found = losses;
    },
  });
  expect(await until(async () => found)).toEqual(['unknown']);
  expect((await submit(store)).state).toBe('queued');
});

test('a submission in flight is accepted while its store closes', async () => {
  await using world = await createBullWorld();
  const store = world.open();
  store.work(echo);
  const draft = await store.begin();
  await draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 });
  await store.close();
  const job = await draft.accept(specOf());
  expect((await store.find('alice', job.id))?.state).toBe('queued');
});

test('jobs run on the master that Sentinels name, also after a failover', async () => {
  await using setup = await startSentinel();
  await using world = await createBullWorld(setup.url, setup.master.url);
  const store = world.open();
  store.work(echo);
  const job = await submit(store, { rows: 40, chunkRows: 1 });
  expect(await readAll(store, await waitForEnd(store, job))).toEqual(expectedResults(40));
  await setup.failOver();
  // For a moment the old master accepts writes, which are lost.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const next = await until(() => submit(store, { rows: 40, chunkRows: 1 }).catch(() => undefined), 50_000);
  expect(await readAll(store, await waitForEnd(store, next))).toEqual(expectedResults(40));
});

test('a user with exactly the permissions of docs/redis.md may do all that jobs need', async () => {
  const page = readFileSync('docs/redis.md', 'utf8');
  const rights = [...page.matchAll(/`(\+\w+(?:\|\w+)?(?: \+\w+(?:\|\w+)?){9,})[ `]/g)].flatMap(
    ([, list = '']) => list.split(' '),
  );
  await using redis = await startRedis();
  await using world = await createBullWorld(
    redis.url.replace('//', '//me:secret@'),
    redis.url,
    'sardonyx:{jobs}:',
  );
  await world.client.call('ACL', 'SETUSER', 'me', 'reset', 'on', '>secret', ...rights, '~sardonyx:*');
  let losses: readonly Loss[] | undefined;
  const troubles: unknown[] = [];
  const events = { onTrouble: (error: unknown) => troubles.push(error) };
  const store = world.open({
    keepMs: 2_000,
    events,
    onLosses: (found) => {
      losses = found;
    },
  });
  const other = world.open({ events });
  let runs = 0;
  let isHeld = false;
  store.work(async (work) => {
    runs += 1;
    if (runs === 1) throw new Error('once');
    if (work.job.owner === 'bob') {
      isHeld = true;
      await until(async () => work.claim.destroyed);
      throw new Error('given back');
    }
    return await echo(work);
  });
  const job = await submit(store, { rows: 40, chunkRows: 1, key: 'key' });
  await waitForEnd(store, job);
  const cancelled = await submit(store, { owner: 'carol', rows: 40, chunkRows: 1 });
  await store.cancel(cancelled);
  const held = await submit(store, { owner: 'bob', rows: 40, chunkRows: 1 });
  await until(async () => isHeld);
  expect(await store.list('alice', 3)).toHaveLength(1);
  // A lost entry, and a sweep.
  await world.client.del(`${world.prefix}q:chunks:${held.id}-9`);
  await new Promise((resolve) => setTimeout(resolve, 10_500));
  await store.close();
  other.work(echo);
  expect(await waitForEnd(other, held)).toMatchObject({ state: 'completed' });
  expect(losses).toEqual(['no_persistence']);
  expect(await world.client.call('ACL', 'LOG')).toEqual([]);
  expect(troubles).toEqual([]);
});

test('jobs run in a cluster', async () => {
  await using cluster = await startCluster();
  await using world = await createBullWorld(cluster.url, cluster.nodes[0]?.url);
  const stores = [world.open(), world.open()];
  for (const store of stores) store.work(echo);
  const job = await submit(stores[0] as JobStore, { rows: 100, chunkRows: 2, key: 'key' });
  const last = await waitForEnd(stores[1] as JobStore, job);
  expect(await readAll(stores[1] as JobStore, last)).toEqual(expectedResults(100));
});
