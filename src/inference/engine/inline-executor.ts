import type { Executor } from './executor.js';
import { limitOutputs } from './output-limit.js';
import type { Session } from './session.js';

/** Runs on the server's own thread and blocks it: for models with short runs. */
export function createInlineExecutor(session: Session, maxOutputBytes: number): Executor {
  return {
    kind: 'inline',
    async run(feeds, fetches) {
      const outputs = session.run(feeds, fetches);
      limitOutputs(outputs, maxOutputBytes);
      return outputs;
    },
    close: () => session.release(),
  };
}
