import type { Executor } from './executor.js';
import type { Session } from './session.js';

/** Runs on the server's own thread, which a run blocks: for models whose runs are short. */
export function createInlineExecutor(session: Session): Executor {
  return {
    kind: 'inline',
    run: async (feeds, fetches) => session.run(feeds, fetches),
    close: () => session.release(),
  };
}
