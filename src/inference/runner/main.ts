import { readSync, writeFileSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { messageOf, ServiceError } from '../../errors.js';
import { limitOutputs } from '../engine/output-limit.js';
import { openSession, type Session } from '../engine/session.js';
import type { Tensor } from '../tensors/tensor.js';
import { createFrameReader, type Frame, toFrame } from './frame.js';
import type { RunnerReply, RunnerRequest } from './messages.js';
import { mainThreadMs } from './thread-time.js';
import { type WatchdogData, watchdogSource } from './watchdog.js';

// The entry of an isolated executor's child process: it opens one model and runs one request after the other. A run
// blocks this thread, and if it never ends, the parent kills the process. Between runs the process waits in a blocking
// read, which returns sooner than an event loop would. The read also ends when the parent ends.

const channel = 3;
const [, , maxMemoryBytes, parent] = process.argv;
// The parent passes its own id: it may end before this process could read its parent's id.
const workerData: WatchdogData = { maxMemoryBytes: Number(maxMemoryBytes), parent: Number(parent) };
const watchdog = new Worker(watchdogSource, { eval: true, workerData });
watchdog.unref();
// On a signal to the whole group, such as Ctrl-C, the parent ends its children itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
preferForKilling();

let session: Session | undefined;
let maxOutputBytes = 0;
let readBytes = 0;
const maxUnswept = 1_048_576;
const maxChunk = 262_144;

const receive = createFrameReader<RunnerRequest>((frame) => write(answer(frame)));
const chunk = Buffer.allocUnsafeSlow(maxChunk);
for (;;) {
  const taken = readSync(channel, chunk);
  if (taken === 0) process.exit(0);
  readBytes += taken;
  receive(chunk.subarray(0, taken));
}

function answer({ message, tensors }: Frame<RunnerRequest>): Frame<RunnerReply> {
  try {
    const started = performance.now();
    switch (message.kind) {
      case 'open': {
        process.title = message.title;
        watchdog.postMessage(message.copy);
        maxOutputBytes = message.maxOutputBytes;
        const model = message.path ?? ((tensors['model'] as Tensor).data as Uint8Array);
        const before = mainThreadMs();
        session = openSession(model, message.threads);
        const cpuMs = mainThreadMs() - before;
        return reply({ kind: 'opened', ms: performance.now() - started, cpuMs });
      }
      case 'run': {
        if (session === undefined) throw new Error('no model is open');
        const outputs = session.run(tensors, message.fetches);
        const ms = performance.now() - started;
        limitOutputs(outputs, maxOutputBytes);
        return { message: { kind: 'ran', ms }, tensors: outputs };
      }
      case 'measure':
        // The bytes read from the parent are collected first: they are not memory of the model.
        if (readBytes > maxUnswept) globalThis.gc?.();
        readBytes = 0;
        return reply({ kind: 'measured', residentBytes: process.memoryUsage.rss() });
      case 'close':
        process.title = 'sardonyx';
        watchdog.postMessage(undefined);
        session?.release();
        session = undefined;
        return reply({ kind: 'closed' });
      default:
        return message satisfies never;
    }
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'output_too_large') {
      return reply({ kind: 'too_large', detail: error.message });
    }
    return reply({ kind: 'failed', reason: messageOf(error) });
  }
}

function reply(message: RunnerReply): Frame<RunnerReply> {
  return { message, tensors: {} };
}

function write(frame: Frame<RunnerReply>): void {
  for (const part of toFrame(frame)) {
    for (let at = 0; at < part.length; ) at += writeSync(channel, part, at, part.length - at, null);
  }
}

/** If memory runs out, the kernel ends this process before the server (proc(5), oom_score_adj). */
function preferForKilling(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Not Linux, or not permitted: only the memory limit remains.
  }
}
