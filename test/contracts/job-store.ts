import { expect, test } from 'vitest';
import { ServiceError } from '../../src/errors.js';
import { countRows, hasEnded, type Job, type JobSpec } from '../../src/jobs/queue/job.js';
import {
  type ChunkWork,
  type JobEvents,
  JobFailedError,
  type JobStore,
} from '../../src/jobs/queue/job-store.js';
import { DamagedJobError } from '../../src/jobs/queue/refusals.js';
import { readResultLines, takeResults } from '../../src/jobs/queue/result-reader.js';

export interface OpenStoreOptions {
  readonly maxOpenJobs?: number;
  readonly keepMs?: number;
  readonly events?: Partial<JobEvents>;
}

/** A place for jobs. Each store that is opened is another process of the same place. */
export interface StoreWorld extends AsyncDisposable {
  open(options?: OpenStoreOptions): JobStore;
  /** The longest time until the jobs of a store that has closed go on in another one. */
  readonly handOverMs: number;
  /** Removes what has expired, if the stores do so once a minute only. */
  sweep(): Promise<void>;
}

export const silentEvents: JobEvents = {
  onEnd: () => undefined,
  onChunk: () => undefined,
  onRetry: () => undefined,
  onTrouble: () => undefined,
};

export function specOf(owner = 'alice'): JobSpec {
  return {
    owner,
    model: 'model',
    version: '1.0.0',
    identity: 'a'.repeat(64),
    requestId: 'request',
    trace: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  };
}

/** Submits rows 0, 1, 2 … in chunks of a size. */
export async function submit(
  store: JobStore,
  {
    owner = 'alice',
    rows = 10,
    chunkRows = 5,
    key,
    digest = 'digest',
  }: { owner?: string; rows?: number; chunkRows?: number; key?: string; digest?: string } = {},
): Promise<Job> {
  const draft = await store.begin();
  try {
    for (let from = 0; from < rows; from += chunkRows) {
      const count = Math.min(chunkRows, rows - from);
      const lines = Buffer.from(Array.from({ length: count }, (_, k) => ` [${from + k}]\n`).join(''));
      await draft.add(lines, { rows: count, bytes: lines.length });
    }
    return await draft.accept(specOf(owner), key === undefined ? undefined : { key, digest });
  } finally {
    await draft.discard();
  }
}

/** Answers each row with its place in the job and itself. */
export const echo = async ({ firstRow, rows }: ChunkWork) => {
  const lines = (await rows.load()).toString().trimEnd().split('\n');
  expect(rows).toMatchObject({ count: lines.length, bytes: (await rows.load()).length });
  const text = lines.map((line, k) => `{"index":${firstRow + k},"row":${line.trim()}}\n`).join('');
  return { lines: Buffer.from(text), completed: lines.length, failed: 0 };
};

export async function readAll(store: JobStore, job: Job): Promise<readonly string[]> {
  const pieces: Buffer[] = [];
  for await (const piece of readResultLines(store, job, 0)) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  return text === '' ? [] : text.trimEnd().split('\n');
}

export function expectedResults(rows: number): readonly string[] {
  return Array.from({ length: rows }, (_, k) => `{"index":${k},"row":[${k}]}`);
}

export async function until<T>(look: () => Promise<T | undefined | false>, withinMs = 30_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`nothing within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function waitForEnd(store: JobStore, job: Job, withinMs?: number): Promise<Job> {
  return await until(async () => {
    const now = await store.find(job.owner, job.id);
    return now !== undefined && hasEnded(now) && now;
  }, withinMs);
}

/** The suite of every store of jobs. `createWorld` resolves with an empty place. */
export function describeJobStore(name: string, createWorld: () => Promise<StoreWorld>): void {
  const title = (text: string) => `${name}: ${text}`;

  test(title('a job is accepted, runs, and has its results in the order of its rows'), async () => {
    await using world = await createWorld();
    const ended: Job[] = [];
    const store = world.open({ events: { onEnd: (job) => ended.push(job) } });
    const job = await submit(store, { rows: 23, chunkRows: 5 });
    expect(job).toMatchObject({ ...specOf(), state: 'queued', completedRows: 0, failedRows: 0 });
    expect([job.chunks.length, countRows(job)]).toEqual([5, 23]);
    expect(await store.counts()).toMatchObject({ queued: 1, running: 0 });
    store.work(echo);
    const last = await waitForEnd(store, job);
    expect(last).toMatchObject({ ...specOf(), id: job.id, state: 'completed', completedRows: 23 });
    expect(last.failure).toBe(undefined);
    expect(last.acceptedAt).toBeLessThanOrEqual(last.startedAt ?? 0);
    expect(last.startedAt).toBeLessThanOrEqual(last.endedAt ?? 0);
    expect(await readAll(store, last)).toEqual(expectedResults(23));
    expect(await takeResults(store, last, 4, 3)).toEqual({
      lines: expectedResults(23).slice(4, 7),
      next: 7,
    });
    expect(await store.counts()).toEqual({ queued: 0, running: 0, oldestAt: undefined });
    // Told once the end is stored: a client may read it before.
    await expect
      .poll(() => ended.map(({ id, state }) => ({ id, state })))
      .toEqual([{ id: job.id, state: 'completed' }]);
  });

  test(title('a page of results ends after some megabytes, with one result at least'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const megabytes = [3, 3, 3, 9, 1, 1];
    const job = await submit(store, { rows: 6, chunkRows: 3 });
    store.work(async (work) => {
      const results = await echo(work);
      const lines = results.lines.toString().trimEnd().split('\n');
      const long = lines.map(
        (line, k) => `${line.padEnd(1_048_576 * (megabytes[work.firstRow + k] ?? 0) - 1)}\n`,
      );
      return { ...results, lines: Buffer.from(long.join('')) };
    });
    const last = await waitForEnd(store, job);
    const pages: (readonly string[])[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page: Awaited<ReturnType<typeof takeResults>> = await takeResults(store, last, offset, 1_000);
      pages.push(page.lines.map((line) => line.trimEnd()));
      offset = page.next;
    }
    expect(pages.map(({ length }) => length)).toEqual([2, 1, 1, 2]);
    expect(pages.flat()).toEqual(expectedResults(6));
  });

  test(title('rows that fail are counted apart'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const job = await submit(store, { rows: 6, chunkRows: 3 });
    store.work(async (work) => ({ ...(await echo(work)), completed: 2, failed: 1 }));
    expect(await waitForEnd(store, job)).toMatchObject({ completedRows: 4, failedRows: 2 });
  });

  test(title('a draft that is discarded leaves no job'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const draft = await store.begin();
    await draft.add(Buffer.from(' [1]\n'), { rows: 1, bytes: 5 });
    await draft.discard();
    await draft.discard();
    expect(await store.list('alice', 10)).toEqual([]);
    expect(await store.counts()).toMatchObject({ queued: 0, running: 0 });
  });

  test(title('a store that runs no rows counts the jobs that another one runs'), async () => {
    await using world = await createWorld();
    const [idle, busy] = [world.open(), world.open()];
    let end: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    busy.work(async (work) => {
      await held;
      return echo(work);
    });
    const job = await submit(idle, { rows: 3, chunkRows: 3 });
    await until(async () => (await idle.counts()).running === 1);
    expect(await idle.counts()).toMatchObject({ queued: 0, running: 1 });
    end();
    await waitForEnd(idle, job);
    await until(async () => (await idle.counts()).running === 0);
  });

  test(title('another owner neither finds nor lists a job'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const job = await submit(store);
    expect(await store.find('bob', job.id)).toBe(undefined);
    expect(await store.find('', job.id)).toBe(undefined);
    expect(await store.list('bob', 10)).toEqual([]);
    for (const id of ['', '../x', 'x'.repeat(300), '01900000-0000-7000-8000-000000000000'])
      expect(await store.find('alice', id)).toBe(undefined);
    expect((await store.find('alice', job.id))?.id).toBe(job.id);
  });

  test(title('the jobs of an owner are listed, the latest first, page by page'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const jobs: Job[] = [];
    for (let k = 0; k < 5; k += 1) {
      jobs.push(await submit(store, { rows: 1 }));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await submit(store, { owner: 'bob' });
    const ids = jobs.map(({ id }) => id).reverse();
    const first = await store.list('alice', 3);
    expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 3));
    expect((await store.list('alice', 3, first[2]?.id)).map(({ id }) => id)).toEqual(ids.slice(3));
  });

  test(title('a waiting job is cancelled once, and none of its rows run'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const job = await submit(store);
    expect(await store.cancel(job)).toBe(true);
    expect(await store.cancel(job)).toBe(false);
    let runs = 0;
    store.work((work) => {
      runs += 1;
      return echo(work);
    });
    const other = await submit(store);
    await waitForEnd(store, other);
    expect(runs).toBe(2);
    expect(await store.find('alice', job.id)).toMatchObject({ state: 'cancelled', completedRows: 0 });
  });

  test(title('a running job is cancelled from another process within 1.5 s'), async () => {
    await using world = await createWorld();
    const worker = world.open();
    const other = world.open();
    const job = await submit(other, { rows: 2, chunkRows: 1 });
    let seenAt: number | undefined;
    worker.work(async ({ claim }) => {
      await until(async () => claim.destroyed, 20_000);
      seenAt ??= performance.now();
      throw new ServiceError('client_closed');
    });
    await until(async () => (await other.find('alice', job.id))?.state === 'running');
    const at = performance.now();
    expect(await other.cancel(job)).toBe(true);
    await until(async () => seenAt !== undefined);
    expect((seenAt ?? 0) - at).toBeLessThan(1_500);
    expect(await other.find('alice', job.id)).toMatchObject({ state: 'cancelled', failure: undefined });
  });

  test(title('100 submissions at once with one idempotency key are one job'), async () => {
    await using world = await createWorld();
    const stores = [world.open(), world.open()];
    const jobs = await Promise.all(
      Array.from({ length: 100 }, (_, k) => submit(stores[k % 2] as JobStore, { key: 'key', rows: 2 })),
    );
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(await stores[0]?.list('alice', 10)).toHaveLength(1);
  });

  test(title('an idempotency key refuses other rows, and another owner has a key of its own'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const job = await submit(store, { key: 'key' });
    await expect(submit(store, { key: 'key', digest: 'other' })).rejects.toMatchObject({
      code: 'idempotency_conflict',
    });
    expect((await submit(store, { key: 'key', owner: 'bob' })).id).not.toBe(job.id);
    expect((await submit(store, { key: 'key 2' })).id).not.toBe(job.id);
    store.work(echo);
    await waitForEnd(store, job);
    expect((await submit(store, { key: 'key' })).id).toBe(job.id);
  });

  test(title('jobs beyond the limit are refused'), async () => {
    await using world = await createWorld();
    const store = world.open({ maxOpenJobs: 2 });
    await submit(store);
    await submit(store);
    await expect(submit(store)).rejects.toMatchObject({ code: 'overloaded' });
  });

  test(title('a failed attempt is repeated, and the job succeeds'), async () => {
    await using world = await createWorld();
    const retries: number[] = [];
    const store = world.open({ events: { onRetry: (_job, chunk) => retries.push(chunk) } });
    const job = await submit(store, { rows: 4, chunkRows: 2 });
    let failures = 0;
    store.work(async (work) => {
      if (work.firstRow === 2 && failures < 1) {
        failures += 1;
        throw new Error('once');
      }
      return await echo(work);
    });
    const last = await waitForEnd(store, job);
    expect(last).toMatchObject({ state: 'completed', completedRows: 4 });
    expect(await readAll(store, last)).toEqual(expectedResults(4));
    expect(retries).toEqual([1]);
  });

  test(title('five failed attempts fail the job with the reason, and no other job'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const bad = await submit(store, { owner: 'bad', rows: 2, chunkRows: 1 });
    const good = await submit(store, { rows: 2, chunkRows: 1 });
    const attempts = new Map<number, number>();
    store.work(async (work) => {
      if (work.job.owner !== 'bad') return await echo(work);
      attempts.set(work.firstRow, (attempts.get(work.firstRow) ?? 0) + 1);
      throw new ServiceError('executor_lost', { detail: 'The runner ended.', retryAfterSeconds: 1 });
    });
    expect(await waitForEnd(store, good, 10_000)).toMatchObject({ state: 'completed' });
    expect(await waitForEnd(store, bad, 55_000)).toMatchObject({
      state: 'failed',
      failure: { code: 'executor_lost', detail: 'The runner ended.' },
    });
    expect(Math.max(...attempts.values())).toBe(5);
  });

  test(title('a JobFailedError ends the job at once, with its results so far'), async () => {
    await using world = await createWorld();
    const ended: Job[] = [];
    const store = world.open({ events: { onEnd: (job) => ended.push(job) } });
    const job = await submit(store, { rows: 3, chunkRows: 1 });
    const failure = { code: 'version_not_found', detail: 'The version is gone.' } as const;
    store.work(async (work) => {
      if (work.firstRow === 0) return await echo(work);
      await until(async () => (await store.find('alice', job.id))?.completedRows === 1);
      throw new JobFailedError(failure);
    });
    const last = await waitForEnd(store, job);
    expect(last).toMatchObject({ state: 'failed', failure, completedRows: 1 });
    expect(await readAll(store, last)).toEqual(expectedResults(1));
    await until(async () => ended.length > 0);
    expect(ended.map(({ state }) => state)).toEqual(['failed']);
  });

  // On a busy machine a store may not reach Redis in the time that its end has.
  test(title('a store that closes gives its chunks back, and another one goes on'), {
    retry: 1,
  }, async () => {
    await using world = await createWorld();
    const first = world.open();
    const second = world.open();
    const job = await submit(first, { rows: 6, chunkRows: 2 });
    let held = 0;
    first.work(async (work) => {
      if (work.firstRow === 0) return await echo(work);
      held += 1;
      await until(async () => work.claim.destroyed);
      throw new ServiceError('client_closed');
    });
    await until(async () => held > 0 && (await second.find('alice', job.id))?.completedRows === 2);
    await first.close();
    const at = performance.now();
    second.work(echo);
    const last = await waitForEnd(second, job);
    expect(performance.now() - at).toBeLessThan(world.handOverMs);
    expect(last).toMatchObject({ state: 'completed', completedRows: 6 });
    expect(await readAll(second, last)).toEqual(expectedResults(6));
  });

  test(title('three stores share the chunks of a job, and no row is lost or doubled'), async () => {
    await using world = await createWorld();
    const stores = [world.open(), world.open(), world.open()];
    const rows = 1_000;
    const job = await submit(stores[0] as JobStore, { rows, chunkRows: 20 });
    const runs = stores.map((): ChunkWork[] => []);
    for (const [k, store] of stores.entries()) {
      store.work(async (work) => {
        runs[k]?.push(work);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return await echo(work);
      });
    }
    const last = await waitForEnd(stores[1] as JobStore, job);
    expect(last).toMatchObject({ state: 'completed', completedRows: rows, failedRows: 0 });
    expect(await readAll(stores[2] as JobStore, last)).toEqual(expectedResults(rows));
    for (const own of runs) expect(own.length).toBeGreaterThan(0);
    expect(runs.flat().length).toBe(50);
  });

  test(title('a small job does not wait for the end of a large one'), async () => {
    await using world = await createWorld();
    const store = world.open();
    const large = await submit(store, { rows: 200, chunkRows: 1 });
    const small = await submit(store, { owner: 'bob', rows: 1 });
    store.work(async (work) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return await echo(work);
    });
    await waitForEnd(store, small);
    expect((await store.find('alice', large.id))?.completedRows).toBeLessThan(100);
    expect((await waitForEnd(store, large)).completedRows).toBe(200);
  });

  test(title('an ended job expires with its results and its idempotency key'), async () => {
    await using world = await createWorld();
    const store = world.open({ keepMs: 500 });
    const job = await submit(store, { key: 'key' });
    store.work(echo);
    const last = await waitForEnd(store, job);
    await until(async () => {
      await world.sweep();
      const found = await store.find('alice', job.id);
      return found === undefined && (await store.readResults(job, 0)) === undefined;
    });
    // A client that reads them meanwhile must not take what it has got for all of them.
    await expect(readAll(store, last)).rejects.toThrow(DamagedJobError);
    await expect(takeResults(store, last, 0, 100)).rejects.toThrow(DamagedJobError);
    expect(await store.list('alice', 10)).toEqual([]);
    expect((await submit(store, { key: 'key', digest: 'other' })).id).not.toBe(job.id);
  });
}
