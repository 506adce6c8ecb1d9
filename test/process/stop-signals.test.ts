import { expect, test } from 'vitest';
import { untilSignalled } from '../../src/process/stop-signals.js';

test('work that ended whole in spite of a signal gives its result, and the process goes on', async () => {
  const result = await untilSignalled(
    async (signal) => {
      process.emit('SIGTERM');
      return signal.aborted ? 'all of it' : 'not interrupted';
    },
    { isWhole: (it) => it === 'all of it' },
  );
  expect(result).toBe('all of it');
});
