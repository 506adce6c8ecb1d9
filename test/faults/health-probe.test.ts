import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { type Control, startControl, startProbe } from './instruments/health-probe.js';
import { type Ask, judge, machineDelayMs, maxHealthMs } from './instruments/machine-delay.js';
import { createPlainRegistry } from './instruments/plain-registry.js';
import { createThreadBlocker } from './instruments/thread-blocker.js';

const folder = createPlainRegistry();
const environment = { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' };
const tries = 5;
const stopMs = 150;

/** What the probe says of each of some tries to be slow. */
async function judgeTries(server: ServerProcess, control: Control, inflict: () => Promise<unknown>) {
  const judgements = [];
  for (let k = 0; k < tries; k += 1) {
    await using probe = startProbe(server, control);
    await pause(200);
    await inflict();
    await pause(50);
    judgements.push(judge(await probe.stop()));
  }
  for (const { failed, answered } of judgements) {
    expect(failed).toBe(0);
    expect(answered).toBeGreaterThan(0);
  }
  const times = judgements.map(({ longestMs }) => longestMs);
  return {
    seen: times.filter((ms) => ms >= maxHealthMs).length,
    excused: judgements.filter(({ note }) => note !== '').length,
    missed: judgements.filter(({ longestMs, note }) => longestMs < maxHealthMs && note === '').length,
    longestMs: Math.max(...times),
  };
}

async function stopAWhile(...processes: readonly ChildProcess[]): Promise<void> {
  for (const child of processes) child.kill('SIGSTOP');
  await pause(stopMs);
  for (const child of processes.toReversed()) child.kill('SIGCONT');
}

faultWithoutServer('O03', 'the probe of every row sees a server that is blocked for 150 ms', async () => {
  using blocking = createThreadBlocker(1.2 * stopMs);
  await using server = await startServerProcess({ ...environment, ...blocking.environment });
  using control = await startControl();
  const held = await judgeTries(server, control, () => blocking.block(server));
  const stopped = await judgeTries(server, control, () => stopAWhile(server.child));
  const figure = `seen ${held.seen} of ${tries} computations of ${1.2 * stopMs} ms, ${stopped.seen} of ${tries} stops of ${stopMs} ms`;
  // A machine that stalls in the same moment excuses it, and says so.
  for (const { seen, missed } of [held, stopped]) {
    expect(missed, figure).toBe(0);
    expect(seen, figure).toBeGreaterThan(tries / 2);
  }
  return figure;
});

faultWithoutServer('O03', 'the probe of every row excuses a server whose machine runs others', async () => {
  using blocking = createThreadBlocker(60);
  await using server = await startServerProcess({ ...environment, ...blocking.environment });
  using control = await startControl();
  const halted = await judgeTries(server, control, () => stopAWhile(control.child, server.child));
  const rivals = Array.from({ length: 6 }, () =>
    spawn('nice', ['-n', '1', process.execPath, '-e', 'for(;;);'], { stdio: 'ignore' }),
  );
  try {
    const crowded = await judgeTries(server, control, () => blocking.block(server));
    const figure = `of ${tries} stops of all for ${stopMs} ms excused ${halted.excused}, the server's part ${halted.longestMs.toFixed(0)} ms at most; of ${tries} computations of 60 ms beside ${rivals.length} busy loops excused ${crowded.excused}, the server's part ${crowded.longestMs.toFixed(0)} ms at most`;
    expect(halted.longestMs, figure).toBeLessThan(maxHealthMs);
    expect(halted.excused, figure).toBeGreaterThanOrEqual(tries - 1);
    expect(crowded.longestMs, figure).toBeLessThan(maxHealthMs);
    expect(crowded.excused, figure).toBeGreaterThan(0);
    return figure;
  } finally {
    for (const rival of rivals) rival.kill('SIGKILL');
  }
});

faultWithoutServer('O03', 'the probe of every row excuses no more than the machine did', async () => {
  const slow: Ask = {
    from: 1_000,
    to: 1_150,
    status: 200,
    ranMs: 0,
    waitedMs: 0,
    helperWaitedMs: 0,
    foreignMs: 0,
  };
  type Row = readonly [name: string, ask: Partial<Ask>, waits: readonly number[][], expected: number];
  const others = { waitedMs: 60, foreignMs: 200 };
  // Of the control: from, to, and how long the server was not run meanwhile.
  const twice = [
    [1_000, 1_030, 0],
    [1_060, 1_100, 0],
  ];
  const rows: readonly Row[] = [
    ['nothing else was slow', {}, [], 0],
    ['the control took what it always takes', {}, [[1_025, 1_044, 0]], 0],
    ['the control was slow before', {}, [[800, 1_000, 0]], 0],
    ['the control was slow for a part of it', {}, [[900, 1_040, 0]], 40],
    ['the control was slow twice', {}, twice, 70],
    ['the control was slow for longer', {}, [[900, 1_300, 0]], 150],
    ['the control was slow while the server computed', { ranMs: 130 }, [[1_000, 1_080, 0]], 20],
    ['others had the processor', others, [], 60],
    ['others had it, and a helper was not run', { ...others, helperWaitedMs: 30 }, [], 90],
    ['its own children had it', { waitedMs: 60, helperWaitedMs: 30, foreignMs: 10 }, [], 10],
    ['others had it, and later the control was slow', others, [[1_000, 1_080, 0]], 140],
    ['others had it, and the control was slow of it', others, [[1_000, 1_080, 50]], 90],
    ['others had it from before', others, [[900, 1_040, 90]], 60],
  ];
  for (const [name, more, waits, expected] of rows) {
    const spans = waits.map(([from = 0, to = 0, waitedMs = 0]) => ({ from, to, waitedMs }));
    expect(machineDelayMs({ ...slow, ...more }, spans), name).toBe(expected);
  }
  const bad = judge({ asks: [slow, { ...slow, status: 503 }, { ...slow, status: 0 }], waits: [] });
  expect(bad).toEqual({ answered: 2, failed: 2, longestMs: 150, note: '' });
  const { longestMs, note } = judge({ asks: [slow], waits: [{ from: 1_000, to: 1_060, waitedMs: 0 }] });
  expect(longestMs).toBe(90);
  expect(note).toBe(
    '; excused 1 of 1 probes of /health/live, the slowest took 150 ms, of which the machine kept it waiting for 60',
  );
  return `${rows.length} cases`;
});
