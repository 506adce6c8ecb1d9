import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { askTimed, readMetric } from '../helpers/ask.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { childOf, cpuMs } from '../helpers/processes.js';
import { fault } from './instruments/fault.js';
import { createPlainRegistry, features } from './instruments/plain-registry.js';
import { refusalsOf, serving } from './instruments/registry-under-fault.js';

const folder = createPlainRegistry({
  patient: { executor: 'isolated', timeoutMs: 60_000, maxBatchRows: 1 },
});
const wrong = [0, -1, 1e12];
for (const [k, timeoutMs] of wrong.entries()) {
  folder.addVersion('wrong', String(k + 1), {
    manifest: { task: 'regression', features, runtime: { timeoutMs } },
    model: linearRegression([2]),
  });
}
folder.addVersion('hurried', '1', {
  manifest: { task: 'regression', features, runtime: { timeoutMs: 1 } },
  model: linearRegression([2]),
});
const options = serving(folder);

fault(
  'E08',
  'an invalid timeoutMs is refused, and a timeoutMs of 1 ms is kept',
  async ({ server }) => {
    const reasons = await refusalsOf(server, 'wrong');
    expect(reasons.size).toBe(wrong.length);
    for (const reason of reasons.values()) expect(reason).toContain('/runtime/timeoutMs');
    const codes: Record<string, number> = {};
    const tries = 300;
    for (let k = 0; k < tries; k += 1) {
      const { code } = await askTimed(server.url, 'hurried', 1);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    const { ok = 0, overloaded = 0, deadline_exceeded = 0 } = codes;
    expect(ok + overloaded + deadline_exceeded, JSON.stringify(codes)).toBe(tries);
    // On a busy machine many requests have waited longer than 1 ms before the server sees them.
    expect(ok).toBeGreaterThan(tries / 5);
    return `refused ${reasons.size} of ${wrong.length}; with timeoutMs 1, ${ok} of ${tries} answered, overloaded ${overloaded}, deadline_exceeded ${deadline_exceeded}`;
  },
  options,
);

fault(
  'E08',
  'a row whose deadline has passed never runs',
  async ({ server }) => {
    const child = childOf(server.child.pid as number, 'patient/1') as number;
    // The processor time of one run: 100 to 1,000 ms. It is counted in steps of 10 ms.
    const before = cpuMs(child);
    expect((await askTimed(server.url, 'patient', 6_000)).code).toBe('ok');
    const rowMs = cpuMs(child) - before;
    expect(rowMs, 'processor time of the child').toBeGreaterThan(50);
    const runsBefore = await readMetric(server.url, 'prediction_run_seconds_count', 'model="patient"');
    const busy = askTimed(server.url, 'patient', 30_000);
    await pause(50);
    const cpuBefore = cpuMs(child);
    const expired = await Promise.all(
      Array.from({ length: 20 }, () =>
        askTimed(server.url, 'patient', 6_000, { 'x-request-timeout-ms': '200' }),
      ),
    );
    expect((await busy).code).toBe('ok');
    await pause(300);
    const rows = expired.filter(({ code }) => code === 'deadline_exceeded').length;
    const longestMs = Math.max(...expired.map(({ ms }) => ms));
    expect(expired.map(({ code }) => code).filter((code) => code !== 'deadline_exceeded')).toEqual([]);
    // The row that kept the child busy costs five times as much as one of these.
    const surplusMs = cpuMs(child) - cpuBefore - 5 * rowMs;
    const ran = Math.max(0, Math.round(surplusMs / rowMs));
    const counted = await readMetric(server.url, 'prediction_run_seconds_count', 'model="patient"');
    expect(counted - runsBefore, 'runs in the metric').toBe(1);
    expect(ran, `${surplusMs} ms of processor time too many, a row costs ${rowMs} ms`).toBeLessThan(2);
    const next = await askTimed(server.url, 'patient', 1);
    expect(next.code).toBe('ok');
    return `runs after the deadline ${counted - runsBefore - 1} (by the child's processor time: ${ran}) of ${rows} rows that expired in the queue, 504 after ${longestMs.toFixed(0)} ms at most (limit 200)`;
  },
  options,
);
