import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServiceError } from '../../src/errors.js';
import { BatchMemory } from '../../src/jobs/batch-memory.js';
import { FileJobStore } from '../../src/jobs/files/file-job-store.js';
import { readRows } from '../../src/jobs/read-rows.js';
import { createInstancesReader } from '../../src/jobs/readers/instances-reader.js';
import { createLineReader } from '../../src/jobs/readers/line-reader.js';
import { NoMemoryError, Submission } from '../../src/jobs/submission.js';
import type { LoadedVersion } from '../../src/models/registry/loaded-version.js';
import { echo, readAll, silentEvents, waitForEnd } from '../contracts/job-store.js';
import { loaderOf } from '../helpers/one-version.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const folder = createRegistryFolder();
const loader = loaderOf();
let version: LoadedVersion;
beforeAll(async () => {
  const path = folder.addVersion('double', '1', {
    manifest: { task: 'regression', features: [{ name: 'x', type: 'number' }] },
    model: linearRegression([2]),
  });
  version = await loader.load(path, 'double', '1');
});
afterAll(() => {
  version.retire();
  loader.close();
  folder[Symbol.dispose]();
});

const bounds = { maxBytes: 1e9, maxRows: 1e6 };
async function* pieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
function submit(text: string, { isOneText = false, readsFirst = false, size = 1_000 } = {}): Submission {
  const reader = (isOneText ? createInstancesReader : createLineReader)({ maxRowBytes: 1e6 });
  return new Submission(readRows(pieces(text, size), reader, bounds), version, { isOneText, readsFirst });
}
const lines = (count: number) => Array.from({ length: count }, (_unused, k) => `{"x":${k}}\n`).join('');

/** The rows that a job of the submission gets, in order. */
async function storedRows(submission: Submission): Promise<readonly unknown[]> {
  const stateDir = mkdtempSync(join(tmpdir(), 'sardonyx-jobs-'));
  const options = { stateDir, maxOpenJobs: 10, keepMs: 60_000, minFreeBytes: 0, events: silentEvents };
  const store = new FileJobStore(options);
  const draft = await store.begin();
  try {
    await submission.store(draft);
    const spec = { owner: 'a', model: 'double', version: '1', identity: 'i', requestId: 'r' };
    const job = await draft.accept(spec);
    store.work(echo);
    const results = await readAll(store, await waitForEnd(store, job));
    return results.map((it) => JSON.parse(it).row);
  } finally {
    await draft.discard();
    await store.close();
    await store.disconnect();
    rmSync(stateDir, { recursive: true });
  }
}

describe('a batch that is stored after some of its rows have run', () => {
  test.each([0, 1, 3, 200])('is stored from its first row on, after %s turns', async (turns) => {
    const submission = submit(lines(20_000));
    const share = new BatchMemory().open();
    if (share === undefined) throw new Error('no share');
    const parsed = submission.parsed(share);
    for (let turn = 0; turn < turns; turn += 1) await parsed.next();
    expect(await storedRows(submission)).toEqual(Array.from({ length: 20_000 }, (_unused, k) => ({ x: k })));
  });

  test('in one JSON text is still refused for a row that is no JSON', async () => {
    const rows = lines(600).trim().replaceAll('\n', ',\n');
    const submission = submit(`{"instances":[${rows},{"x":NaN}]}`, { isOneText: true });
    const share = new BatchMemory().open();
    if (share === undefined) throw new Error('no share');
    await submission.parsed(share).next();
    await expect(storedRows(submission)).rejects.toMatchObject({
      code: 'invalid_json',
      message: expect.stringMatching(/^Row 600: /),
    });
  });
});

describe('a batch whose rows are counted', () => {
  const counted = (text: string, take: (rows: number) => Promise<void>, max = 1e6) => {
    const rowLimit = { max, take, refuse: () => new ServiceError('body_too_large') };
    const rows = readRows(pieces(text, 100), createLineReader({ maxRowBytes: 1e6 }), { ...bounds, rowLimit });
    return new Submission(rows, version, { isOneText: false, readsFirst: true });
  };
  const openShare = () => {
    const share = new BatchMemory().open();
    if (share === undefined) throw new Error('no share');
    return share;
  };

  test('gives no row before all have been counted, once', async () => {
    let taken: number[] = [];
    const submission = counted(lines(2_000), async (rows) => void taken.push(rows));
    const parsed = submission.parsed(openShare());
    const first = await parsed.next();
    expect([taken, first.value?.length]).toEqual([[2_000], 256]);
    // The time is over: the rows are stored, and not counted again.
    expect(await storedRows(submission)).toHaveLength(2_000);
    expect(taken).toEqual([2_000]);
    taken = [];
    expect(await storedRows(counted(lines(3), async (rows) => void taken.push(rows)))).toHaveLength(3);
    expect(taken).toEqual([3]);
  });

  test('that is refused is neither run nor stored', async () => {
    const refuse = async () => {
      throw new ServiceError('rate_limited', { retryAfterSeconds: 1 });
    };
    const refused = { code: 'rate_limited' };
    await expect(counted(lines(10), refuse).parsed(openShare()).next()).rejects.toMatchObject(refused);
    await expect(storedRows(counted(lines(10), refuse))).rejects.toMatchObject(refused);
    const tooMany = { code: 'body_too_large' };
    const uncounted = async () => expect.unreachable('it was counted');
    await expect(storedRows(counted(lines(10), uncounted, 9))).rejects.toMatchObject(tooMany);
  });
});

describe('the memory for batches that are answered at once', () => {
  test('is taken by each up to its own part, and by all together up to the shared part', async () => {
    const memory = new BatchMemory();
    const [large, small] = [memory.open(), memory.open()];
    if (large === undefined || small === undefined) throw new Error('no share');
    expect(large.take(1_048_576 + 134_217_728)).toBe(true);
    expect(large.take(1)).toBe(false);
    expect(small.take(1_048_576)).toBe(true);
    expect(small.take(1)).toBe(false);
    large.release();
    large.release();
    expect(small.take(134_217_728)).toBe(true);
    expect(small.take(1)).toBe(false);
  });

  test('that is used up stops the reading, and the rows are stored', async () => {
    const memory = new BatchMemory();
    memory.open()?.take(1_048_576 + 134_217_728);
    const share = memory.open();
    if (share === undefined) throw new Error('no share');
    const submission = submit(lines(20_000));
    const read = async () => {
      for await (const _turn of submission.parsed(share));
    };
    await expect(read()).rejects.toThrow(NoMemoryError);
    expect(await storedRows(submission)).toHaveLength(20_000);
  });

  test('has places for 64 batches, and none is left over by one that ended twice', () => {
    const memory = new BatchMemory();
    const shares = Array.from({ length: 64 }, () => memory.open());
    expect(memory.open()).toBe(undefined);
    shares[0]?.release();
    shares[0]?.release();
    expect([memory.open() === undefined, memory.open()]).toEqual([false, undefined]);
  });
});
