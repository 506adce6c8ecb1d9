import { writeFileSync } from 'node:fs';
import { messageOf, ServiceError } from '../../errors.js';
import { OwnSandboxes } from '../../inference/runner/own-sandbox.js';
import { lowerPriority } from '../../low-priority.js';
import { createLoader } from '../../models/loading/loader.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { createPredictions } from '../../prediction-event.js';
import { toResultLines } from '../../schemas/batch.js';
import { createBatchPredictor } from '../batch-predictor.js';
import { BufferPool } from '../buffer-pool.js';
import { createChunkRunner } from '../chunk-runner.js';
import { ChunkText } from '../chunk-text.js';
import { locateRows, writeDraft } from '../files/chunk-files.js';
import { type ChunkRows, JobFailedError } from '../queue/job-store.js';
import { holdPacked, pack } from '../queue/packed.js';
import { holdRows } from '../queue/spool.js';
import { toFileFault } from './file-fault.js';
import {
  aliveEveryMs,
  type ChunkTask,
  type JobProcessReply,
  type JobProcessRequest,
  type LoadLimits,
} from './messages.js';
import { RowCounter } from './row-counter.js';

// The entry of the process of batch jobs. It keeps the garbage and the turns of many rows away from the server's thread,
// and yields the processor to the server. It holds the one version whose rows it has run last.

lowerPriority();
// If memory runs out, the kernel ends this process before the server (proc(5), oom_score_adj).
try {
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Not every system permits it.
}
process.title = 'sardonyx jobs';
// On a signal to the whole group, such as Ctrl-C, the server ends this process itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));

const buffers = new BufferPool();
const claims = new Map<number, { destroyed: boolean }>();
let [limits, showsProblems]: [LoadLimits | undefined, boolean] = [undefined, true];
let held: { readonly identity: string; readonly version: Promise<LoadedVersion> } | undefined;

process.on('message', (request: JobProcessRequest) => {
  switch (request.kind) {
    case 'begin':
      limits = request.limits;
      showsProblems = request.showsProblems;
      setInterval(() => tell({ kind: 'alive' }), aliveEveryMs);
      return tell({ kind: 'ready' });
    case 'run':
      return void run(request.id, request.task).then(tell);
    case 'cancel': {
      const claim = claims.get(request.id);
      if (claim !== undefined) claim.destroyed = true;
    }
  }
});

async function run(id: number, { path, rows, ...work }: ChunkTask): Promise<JobProcessReply> {
  const claim = { destroyed: false };
  claims.set(id, claim);
  const text = new ChunkText(buffers);
  const held: Buffer[] = [];
  const allocate = (bytes: number): Buffer => {
    const buffer = buffers.take(bytes);
    held.push(buffer);
    return buffer;
  };
  try {
    let loaded: LoadedVersion;
    try {
      loaded = (await hold(path, work.job)).lease();
    } catch (error) {
      return { kind: 'unloadable', id, reason: messageOf(error) };
    }
    const counter = new RowCounter();
    const predictions = createPredictions(() => undefined);
    predictions.subscribe((event) => counter.add(event));
    const predictor = createBatchPredictor(predictions, { lastBegunAt: Number.NEGATIVE_INFINITY });
    const toLines = (from: number, outcomes: Parameters<typeof toResultLines>[1]) =>
      toResultLines(from, outcomes, showsProblems);
    // The lease passes to the runner, which ends it.
    const runChunk = createChunkRunner({ lease: () => loaded }, predictor, toLines, () => text);
    const results = await runChunk({ ...work, rows: await toChunkRows(rows, allocate), claim });
    const { lines } = results;
    const reply = { ...results, counts: counter.counts, lines: undefined };
    if (lines === undefined) return { kind: 'ran', id, reply };
    if (work.isPacked) return { kind: 'ran', id, reply: { ...reply, packed: await pack(lines) } };
    if (work.draft === undefined) return { kind: 'ran', id, reply: { ...reply, lines: Buffer.from(lines) } };
    await writeDraft(work.draft, lines, results);
    return { kind: 'ran', id, reply };
  } catch (error) {
    const fault = toFileFault(error);
    if (fault !== undefined) return { kind: 'unstored', id, fault };
    if (error instanceof JobFailedError) return { kind: 'unloadable', id, reason: error.message };
    if (error instanceof ServiceError)
      return { kind: 'failed', id, code: error.code, detail: error.detail ?? messageOf(error) };
    return { kind: 'failed', id, code: 'internal', detail: 'The server failed.' };
  } finally {
    claims.delete(id);
    text.release();
    for (const buffer of held) buffers.give(buffer);
  }
}

async function toChunkRows(rows: ChunkTask['rows'], allocate: (bytes: number) => Buffer): Promise<ChunkRows> {
  if (Buffer.isBuffer(rows)) return holdRows(rows);
  return 'packed' in rows ? await holdPacked(rows.packed) : locateRows(rows, allocate);
}

/** The version, loaded with all its checks; the one that was held before retires. Throws if it cannot be loaded. */
function hold(path: string, { model, version, identity }: ChunkTask['job']): Promise<LoadedVersion> {
  if (held?.identity === identity) return held.version;
  const last = held;
  const { maxOutputBytes } = limits as LoadLimits;
  // The server has tried the version. A child would take 50 MB and half a second.
  const loader = createLoader({ ...(limits as LoadLimits), sandboxes: new OwnSandboxes(maxOutputBytes) });
  const loading = loader.load(path, model, version).finally(() => loader.close());
  held = { identity, version: loading };
  last?.version.then(
    (loaded) => loaded.retire(),
    () => undefined,
  );
  loading.catch(() => {
    if (held?.version === loading) held = undefined;
  });
  return loading;
}

function tell(reply: JobProcessReply): void {
  if (process.connected) process.send?.(reply);
}
