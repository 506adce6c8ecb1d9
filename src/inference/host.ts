import { Worker } from 'node:worker_threads';
import { messageOf } from '../errors.js';
import type { HostReply, HostRequest } from './host-message.js';
import { openSession, type Session } from './session.js';

// The entry of an isolated executor's child process: it opens one model and runs what it is sent, one after the
// other. A run blocks this thread for as long as it takes, and may never end: then the parent kills the process.

/** Ends the process when its parent has gone, from a thread of its own, since a run may hold the first for ever. */
const watchParent = `
const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 250);
`;
new Worker(watchParent, { eval: true }).unref();
process.on('disconnect', () => process.exit(0));
// A signal to the whole group, such as Ctrl-C, is the parent's to answer: it ends its children itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

let session: Session | undefined;

process.on('message', (request: HostRequest) => reply(answer(request)));

function answer(request: HostRequest): HostReply {
  try {
    if (request.kind === 'open') {
      session = openSession(request.path, request.threads);
      return { kind: 'opened' };
    }
    if (session === undefined) throw new Error('no model is open');
    const started = performance.now();
    const outputs = session.run(request.feeds, request.fetches);
    return { kind: 'ran', outputs, runMs: performance.now() - started };
  } catch (error) {
    return { kind: 'failed', reason: messageOf(error) };
  }
}

function reply(message: HostReply): void {
  process.send?.(message);
}
