import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { type Control, startControl, startProbe } from './instruments/health-probe.js';
import {
  type HealthProbe,
  machineDelayMs,
  maxHealthMs,
  summarizeProbes,
} from './instruments/machine-delay.js';
import { createPlainRegistry } from './instruments/plain-registry.js';
import { createThreadBlocker } from './instruments/thread-blocker.js';

const folder = createPlainRegistry();
const environment = { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' };
const tries = 5;
const stopMs = 150;

/** Slows the server down a few times, and summarizes what the probe says. */
async function probeTries(server: ServerProcess, control: Control, inflict: () => Promise<unknown>) {
  const summaries = [];
  for (let k = 0; k < tries; k += 1) {
    await using probe = startProbe(server, control);
    await pause(200);
    await inflict();
    await pause(50);
    summaries.push(summarizeProbes(await probe.stop()));
  }
  for (const { failed, answered } of summaries) {
    expect(failed).toBe(0);
    expect(answered).toBeGreaterThan(0);
  }
  const times = summaries.map(({ longestMs }) => longestMs);
  return {
    seen: times.filter((ms) => ms >= maxHealthMs).length,
    excused: summaries.filter(({ note }) => note !== '').length,
    missed: summaries.filter(({ longestMs, note }) => longestMs < maxHealthMs && note === '').length,
    longestMs: Math.max(...times),
  };
}

async function stopAWhile(...processes: readonly ChildProcess[]): Promise<void> {
  for (const child of processes) child.kill('SIGSTOP');
  await pause(stopMs);
  for (const child of processes.toReversed()) child.kill('SIGCONT');
}

faultWithoutServer('O03', 'the probe of a row detects a server that is blocked for 150 ms', async () => {
  using blocking = createThreadBlocker(1.2 * stopMs);
  await using server = await startServerProcess({ ...environment, ...blocking.environment });
  using control = await startControl();
  const held = await probeTries(server, control, () => blocking.block(server));
  const stopped = await probeTries(server, control, () => stopAWhile(server.child));
  const figure = `detected ${held.seen} of ${tries} computations of ${1.2 * stopMs} ms, ${stopped.seen} of ${tries} stops of ${stopMs} ms`;
  // A machine that stalls at the same moment excuses the server, and the note says so.
  for (const { seen, missed } of [held, stopped]) {
    expect(missed, figure).toBe(0);
    expect(seen, figure).toBeGreaterThan(tries / 2);
  }
  return figure;
});

faultWithoutServer('O03', 'the probe of a row excuses a server that the machine does not run', async () => {
  using blocking = createThreadBlocker(60);
  await using server = await startServerProcess({ ...environment, ...blocking.environment });
  using control = await startControl();
  const halted = await probeTries(server, control, () => stopAWhile(control.child, server.child));
  const rivals = Array.from({ length: 6 }, () =>
    spawn('nice', ['-n', '1', process.execPath, '-e', 'for(;;);'], { stdio: 'ignore' }),
  );
  try {
    const crowded = await probeTries(server, control, () => blocking.block(server));
    const figure = `excused ${halted.excused} of ${tries} stops of server and control for ${stopMs} ms, the server's own delay at most ${halted.longestMs.toFixed(0)} ms; excused ${crowded.excused} of ${tries} computations of 60 ms beside ${rivals.length} busy loops, the server's own delay at most ${crowded.longestMs.toFixed(0)} ms`;
    expect(halted.longestMs, figure).toBeLessThan(maxHealthMs);
    expect(halted.excused, figure).toBeGreaterThanOrEqual(tries - 1);
    expect(crowded.longestMs, figure).toBeLessThan(maxHealthMs);
    expect(crowded.excused, figure).toBeGreaterThan(0);
    return figure;
  } finally {
    for (const rival of rivals) rival.kill('SIGKILL');
  }
});

faultWithoutServer('O03', 'the probe of a row excuses no more than the delay of the machine', async () => {
  const slow: HealthProbe = {
    from: 1_000,
    to: 1_150,
    status: 200,
    ranMs: 0,
    waitedMs: 0,
    helperWaitedMs: 0,
    foreignMs: 0,
  };
  type Row = readonly [
    name: string,
    probe: Partial<HealthProbe>,
    waits: readonly number[][],
    expected: number,
  ];
  const others = { waitedMs: 60, foreignMs: 200 };
  // For the control: from, to, and how long the server was not run meanwhile.
  const twice = [
    [1_000, 1_030, 0],
    [1_060, 1_100, 0],
  ];
  const rows: readonly Row[] = [
    ['the control was not slow', {}, [], 0],
    ['the control took its usual time', {}, [[1_025, 1_044, 0]], 0],
    ['the control was slow before the probe', {}, [[800, 1_000, 0]], 0],
    ['the control was slow for a part of the probe', {}, [[900, 1_040, 0]], 40],
    ['the control was slow twice', {}, twice, 70],
    ['the control was slow for longer', {}, [[900, 1_300, 0]], 150],
    ['the control was slow while the server computed', { ranMs: 130 }, [[1_000, 1_080, 0]], 20],
    ['other processes had the processor', others, [], 60],
    [
      'other processes had the processor, and a helper was not run',
      { ...others, helperWaitedMs: 30 },
      [],
      90,
    ],
    ['its own children had the processor', { waitedMs: 60, helperWaitedMs: 30, foreignMs: 10 }, [], 10],
    ['other processes had the processor, and later the control was slow', others, [[1_000, 1_080, 0]], 140],
    ['other processes had the processor, which slowed the control', others, [[1_000, 1_080, 50]], 90],
    ['other processes had the processor from before the probe', others, [[900, 1_040, 90]], 60],
  ];
  for (const [name, more, waits, expected] of rows) {
    const spans = waits.map(([from = 0, to = 0, waitedMs = 0]) => ({ from, to, waitedMs }));
    expect(machineDelayMs({ ...slow, ...more }, spans), name).toBe(expected);
  }
  const bad = summarizeProbes({
    probes: [slow, { ...slow, status: 503 }, { ...slow, status: 0 }],
    waits: [],
  });
  expect(bad).toEqual({ answered: 2, failed: 2, longestMs: 150, note: '' });
  const { longestMs, note } = summarizeProbes({
    probes: [slow],
    waits: [{ from: 1_000, to: 1_060, waitedMs: 0 }],
  });
  expect(longestMs).toBe(90);
  expect(note).toBe(
    '; excused 1 of 1 probes of /health/live: the slowest took 150 ms, the machine delayed it by 60 ms',
  );
  return `${rows.length} cases`;
});
