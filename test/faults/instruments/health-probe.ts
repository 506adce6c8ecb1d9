import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ServerProcess } from '../../helpers/server-process.js';
import { machineDelayMs, type ProbeRecords, type WatchedSpan } from './machine-delay.js';

/** A process that answers every request at once: when it is slow, the machine is. */
export interface Control extends Disposable {
  readonly child: ChildProcess;
  readonly url: string;
}

export async function startControl(): Promise<Control> {
  const child = fork(new URL('./control-server.mjs', import.meta.url));
  const [port] = await once(child, 'message');
  return {
    child,
    url: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => child.disconnect(),
  };
}

export interface Probe extends AsyncDisposable {
  /** How much the machine delayed the server while `run` ran, in ms. */
  measureMachineDelay(run: () => Promise<unknown>): Promise<number>;
  stop(): Promise<ProbeRecords>;
}

/**
 * Probes /health/live every 20 ms and the control every 10 ms. It runs in its own thread, so that a busy test does not
 * look like a slow server. The control shows when the machine is slow.
 */
export function startProbe({ url, child }: ServerProcess, control: Control): Probe {
  const worker = new Worker(new URL('./probe-thread.mjs', import.meta.url), {
    workerData: { server: url, pid: child.pid, control: control.url },
  });
  const send = async <T>(message: 'begin' | 'end' | 'read' | 'stop'): Promise<T> => {
    const answered = once(worker, 'message');
    worker.postMessage(message);
    const [answer] = await answered;
    return answer;
  };
  return {
    async measureMachineDelay(run) {
      await send('begin');
      await run();
      const span = await send<WatchedSpan>('end');
      const { waits } = await send<ProbeRecords>('read');
      return machineDelayMs(span, waits);
    },
    stop: () => send<ProbeRecords>('stop'),
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
