import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect } from 'vitest';
import { linearRegression } from '../helpers/onnx-models.js';
import { memoryMb } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { countWrong, numberedRows, readJob, submitJob, untilJob } from './instruments/batch-client.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

// Batch jobs in the embedded store, on real servers that are killed.

let registry: ReturnType<typeof createRegistryFolder>;
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sardonyx-jobs-'));
  registry = createRegistryFolder();
  const features = [{ name: 'a', type: 'number' as const }];
  registry.addVersion('double', '1', {
    manifest: { task: 'regression', features },
    model: linearRegression([2]),
  });
});
afterAll(() => {
  registry[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});
const twice = (row: number) => 2 * row;
const settings = (name: string, more: Record<string, string> = {}) => ({
  MODELS_DIR: registry.path,
  STATE_DIR: join(root, name),
  ...more,
});
const kill = async (server: ServerProcess) => {
  server.child.kill('SIGKILL');
  await server.ended;
};
const rightOf = (counts: object) => expect(counts).toEqual({ lost: 0, doubled: 0, wrong: 0 });

const kills = isFullSize ? 20 : 5;
faultWithoutServer(
  'J01',
  'a job goes on after each SIGKILL of the server, and has each row once',
  async () => {
    const rows = 40_000 * kills;
    let server = await startServerProcess(settings('kills'));
    const { job_id: id } = await submitJob(server.url, numberedRows(rows));
    let killed = 0;
    for (let point = 1; point <= kills; point += 1) {
      const enough = (rows * point) / (kills + 1);
      const job = await untilJob(server.url, id, { is: (it) => it.completed_instances >= enough });
      if (job.status === 'running') killed += 1;
      await kill(server);
      server = await startServerProcess(settings('kills'));
    }
    await untilJob(server.url, id, { timeoutMs: 120_000 });
    const counts = await countWrong(server.url, id, rows, twice);
    await server[Symbol.asyncDispose]();
    rightOf(counts);
    expect(killed).toBe(kills);
    return `lost ${counts.lost}, doubled ${counts.doubled} of ${rows} rows after ${killed} kills${sizeNote}`;
  },
  600_000,
);

faultWithoutServer(
  'J01',
  'a submission whose server is killed before the 202 leaves nothing, and one after it is whole',
  async () => {
    const name = 'submissions';
    let accepted = 0;
    const attempts = isFullSize ? 20 : 5;
    const body = numberedRows(200_000);
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      await using server = await startServerProcess(settings(name));
      const answer = fetch(`${server.url}/predict/batch`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-ndjson' },
      }).catch(() => undefined);
      await pause((attempt * 600) / attempts);
      await kill(server);
      if ((await answer)?.status === 202) accepted += 1;
    }
    await using server = await startServerProcess(settings(name));
    const { jobs } = (await (await fetch(`${server.url}/predict/batch`)).json()) as {
      jobs: { job_id: string; total_instances: number }[];
    };
    // A job may have been accepted whose answer was lost.
    expect(jobs.length).toBeGreaterThanOrEqual(accepted);
    for (const { job_id: id, total_instances: total } of jobs) {
      expect(total).toBe(200_000);
      await untilJob(server.url, id, { timeoutMs: 120_000 });
      rightOf(await countWrong(server.url, id, total, twice));
    }
    await expect.poll(() => readdirSync(join(root, name, 'jobs', 'drafts')), { timeout: 70_000 }).toEqual([]);
    return `jobs ${jobs.length} of ${attempts} submissions, all whole; drafts left 0${sizeNote}`;
  },
  300_000,
);

faultWithoutServer(
  'J01',
  'two servers share a job in one folder, and one takes over from the other when it is killed',
  async () => {
    const rows = 600_000;
    await using first = await startServerProcess(settings('shared'));
    await using second = await startServerProcess(settings('shared'));
    const { job_id: id } = await submitJob(first.url, numberedRows(rows));
    const running = await untilJob(second.url, id, { is: (it) => it.completed_instances > rows / 2 });
    expect(running.status).toBe('running');
    await kill(first);
    const killedAt = performance.now();
    const share = (await rowsOf(second)) / rows;
    await untilJob(second.url, id, { timeoutMs: 120_000 });
    const seconds = (performance.now() - killedAt) / 1_000;
    const counts = await countWrong(second.url, id, rows, twice);
    rightOf(counts);
    expect(share).toBeGreaterThan(0);
    return `lost 0, doubled 0 of ${rows} rows; ended ${seconds.toFixed(1)} s after the kill; the second server had answered ${Math.round(100 * share)} % of all rows by then`;
  },
  180_000,
);

faultWithoutServer(
  'J01',
  'a frozen server loses its claims, and writes nothing twice when it goes on',
  async () => {
    const rows = 200_000;
    await using first = await startServerProcess(settings('frozen'));
    const { job_id: id } = await submitJob(first.url, numberedRows(rows));
    await untilJob(first.url, id, { is: (it) => it.completed_instances > rows / 4 });
    first.child.kill('SIGSTOP');
    const frozenAt = performance.now();
    await using second = await startServerProcess(settings('frozen'));
    await untilJob(second.url, id, { timeoutMs: 60_000 });
    const seconds = (performance.now() - frozenAt) / 1_000;
    first.child.kill('SIGCONT');
    await pause(500);
    const counts = await countWrong(first.url, id, rows, twice);
    rightOf(counts);
    expect((await readJob(first.url, id)).status).toBe('completed');
    return `lost 0, doubled 0 of ${rows} rows; ended ${seconds.toFixed(1)} s after the freeze (a silent worker is given up after 15 s)`;
  },
  120_000,
);

/** Rows of jobs that a server has answered itself. */
async function rowsOf({ url }: ServerProcess): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^batch_rows_total\{.*result="completed".*\} (\d+)/m.exec(text)?.[1] ?? 0);
}

faultWithoutServer('J02', 'one idempotency key a hundred times at once is one job', async () => {
  await using first = await startServerProcess(settings('keys'));
  await using second = await startServerProcess(settings('keys'));
  const body = numberedRows(2_000);
  const send = (k: number, rows = body) =>
    fetch(`${(k % 2 === 0 ? first : second).url}/predict/batch`, {
      method: 'POST',
      body: rows,
      headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': 'order 1' },
    });
  const answers = await Promise.all(Array.from({ length: 100 }, (_unused, k) => send(k)));
  const ids = new Set<string>();
  for (const answer of answers) {
    expect(answer.status).toBe(202);
    ids.add(((await answer.json()) as { job_id: string }).job_id);
  }
  expect(ids.size).toBe(1);
  const other = await send(0, numberedRows(2_001));
  expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([
    409,
    'idempotency_conflict',
  ]);
  const { jobs } = (await (await fetch(`${first.url}/predict/batch`)).json()) as { jobs: unknown[] };
  expect(jobs).toHaveLength(1);
  return `jobs ${jobs.length} of 100 submissions to two servers; other rows: 409`;
});

const megabytes = isFullSize ? 1_000 : 60;
faultWithoutServer(
  'J03',
  'a large body with a long line, bad rows and a cut end is streamed, and each fails at its index',
  async () => {
    await using server = await startServerProcess(settings('large', { BATCH_MAX_ROWS: '100000000' }));
    const idle = memoryMb(server.child.pid as number, 'VmRSS');
    let peak = idle;
    const timer = setInterval(() => {
      peak = Math.max(peak, memoryMb(server.child.pid as number, 'VmRSS'));
    }, 50);
    // Rows of 200 bytes, as clients send them.
    const piece = numberedRows(65_536).replaceAll('}\n', `${' '.repeat(190)}}\n`);
    const pieces = Math.ceil((megabytes * 1_000_000) / piece.length);
    const perPiece = 65_536;
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`{"a":"${'x'.repeat(7_000_000)}"}\nnonsense\n`);
      for (let k = 0; k < pieces; k += 1) yield Buffer.from(piece);
      yield Buffer.from('{"a":1');
    }
    const answer = await fetch(`${server.url}/predict/batch`, {
      method: 'POST',
      body: ReadableStream.from(body()),
      headers: { 'content-type': 'application/x-ndjson' },
      duplex: 'half',
    } as RequestInit);
    const text = await answer.text();
    expect(answer.status, text).toBe(202);
    const { job_id: id, total_instances: total } = JSON.parse(text);
    expect(total).toBe(3 + pieces * perPiece);
    const job = await untilJob(server.url, id, { timeoutMs: 900_000 });
    clearInterval(timer);
    expect([job.status, job.failed_instances]).toEqual(['completed', 3]);
    const codeAt = async (index: number) => {
      const results = await fetch(`${server.url}/predict/batch/${id}?offset=${index}&limit=1`);
      const [first] = ((await results.json()) as { results: { index: number; error?: { code: string } }[] })
        .results;
      return [first?.index, first?.error?.code];
    };
    expect(await codeAt(0)).toEqual([0, 'invalid_input']);
    expect(await codeAt(1)).toEqual([1, 'invalid_json']);
    expect(await codeAt(total - 1)).toEqual([total - 1, 'invalid_json']);
    return `${total} rows, ${megabytes} MB; memory ${idle.toFixed(0)} MB idle, ${peak.toFixed(0)} MB at most${sizeNote}`;
  },
  1_200_000,
);

fault(
  'J03',
  'a compressed bomb, a line beyond the limit and an address to fetch are refused',
  async ({ server }) => {
    const send = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
      fetch(`${server.url}/models/credit-risk/predict/batch`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-ndjson', ...headers },
      });
    const bomb = await send(gzipSync(Buffer.alloc(70_000_000, '\n')), { 'content-encoding': 'gzip' });
    expect(bomb.status).toBe(413);
    expect((await send('x'.repeat(9_000_000))).status).toBe(413);
    const address = await send('{"url":"http://169.254.169.254/"}', { 'content-type': 'application/json' });
    expect(address.status).toBe(400);
    return 'statuses 413, 413, 400; connections 0: no code of a job opens one';
  },
  { environment: { BATCH_BODY_LIMIT_BYTES: '67108864' }, timeoutMs: 120_000 },
);
