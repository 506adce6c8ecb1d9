import type { RunnerProcess } from './runner-process.js';

/**
 * Awaits a reply of a child, and kills the child if the reply takes longer than `limitMs`. `onLate` is called just
 * before that; the rejection of `ask` is passed on in any case.
 */
export async function killAfter<T>(
  runner: RunnerProcess,
  limitMs: number,
  ask: () => Promise<T>,
  onLate: () => void,
): Promise<T> {
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    onLate();
    runner.kill();
  };
  // If this thread was late itself, the reply may have arrived: it is read before the end of this turn.
  const timer = setTimeout(() => setImmediate(end), limitMs);
  try {
    return await ask();
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
