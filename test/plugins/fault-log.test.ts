import type { FastifyBaseLogger } from 'fastify';
import { expect, test } from 'vitest';
import { ServiceError } from '../../src/errors.js';
import { createFaultLog } from '../../src/plugins/fault-log.js';

test('a flood of refusals is one line a second, and every other fault a line of its own', async () => {
  const lines: { level: string; code: string; unlogged?: number }[] = [];
  const write = (level: string) => (fault: { code: string; unlogged?: number }) =>
    void lines.push({ level, code: fault.code, ...(fault.unlogged && { unlogged: fault.unlogged }) });
  const log = { warn: write('warn'), error: write('error') } as unknown as FastifyBaseLogger;
  const note = createFaultLog();
  for (let k = 0; k < 1_000; k += 1) note(log, new ServiceError('overloaded'), 'a');
  for (let k = 0; k < 2; k += 1) note(log, new ServiceError('internal'), 'b');
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  note(log, new ServiceError('overloaded'), 'c');
  expect(lines).toEqual([
    { level: 'warn', code: 'overloaded' },
    { level: 'error', code: 'internal' },
    { level: 'error', code: 'internal' },
    { level: 'warn', code: 'overloaded', unlogged: 999 },
  ]);
});
