import { createInlineExecutor } from '../engine/inline-executor.js';
import { openSession } from '../engine/session.js';
import type { Sandbox, SandboxModel, SandboxSource } from './sandbox.js';
import { mainThreadMs } from './thread-time.js';

/**
 * Opens models in this process: for one that serves no requests, and versions that another process has tried with the
 * same files. A model that crashes ends this process. A run has no limit of time.
 */
export class OwnSandboxes implements SandboxSource {
  readonly #maxOutputBytes: number;

  constructor(maxOutputBytes: number) {
    this.#maxOutputBytes = maxOutputBytes;
  }

  prepare(): void {}

  close(): void {}

  /** Throws `EngineError`. */
  async open({ model, threads }: SandboxModel): Promise<Sandbox> {
    const [before, started, cpuStarted] = [process.memoryUsage.rss(), performance.now(), mainThreadMs()];
    const session = openSession('path' in model ? model.path : model.bytes, threads);
    const [openMs, openCpuMs] = [performance.now() - started, mainThreadMs() - cpuStarted];
    const executor = createInlineExecutor(session, this.#maxOutputBytes);
    let lastRunMs = 0;
    return {
      isOwn: true,
      openMs,
      openCpuMs,
      get lastRunMs() {
        return lastRunMs;
      },
      async run(feeds, fetches) {
        const runStarted = performance.now();
        const outputs = await executor.run(feeds, fetches);
        lastRunMs = performance.now() - runStarted;
        return outputs;
      },
      async measure() {
        const residentBytes = process.memoryUsage.rss();
        return { addedBytes: Math.max(0, residentBytes - before), residentBytes };
      },
      renew: async () => undefined,
      adopt() {
        throw new Error('this process has no child to give');
      },
      close: async () => executor.close(),
    };
  }
}
