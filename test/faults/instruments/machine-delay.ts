/** An interval of the machine's monotonic clock, in ms. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** An interval, and what the server's main thread and the rest of the machine did in it. */
export interface WatchedSpan extends Span {
  /** How long the thread ran. */
  readonly ranMs: number;
  /** How long the thread was ready, but the kernel ran others. */
  readonly waitedMs: number;
  /** The same for the process's other thread that waited longest: the main thread may have waited for it. */
  readonly helperWaitedMs: number;
  /** Processor time of everything but the server and its children. */
  readonly foreignMs: number;
}

/** One probe of /health/live; status 0 if no answer came. */
export interface HealthProbe extends WatchedSpan {
  readonly status: number;
}

/** One request to the control, and how long the server's main thread was ready but not run meanwhile. */
export interface ControlWait extends Span {
  readonly waitedMs: number;
}

export interface ProbeRecords {
  readonly probes: readonly HealthProbe[];
  /** Sent by the same thread as the probes. */
  readonly waits: readonly ControlWait[];
}

export const maxHealthMs = 100;
/** The control answers in a few ms, even on a busy machine, unless the kernel does not run it. */
const slowControlMs = 20;

const lengthOf = ({ from, to }: Span) => to - from;

/**
 * How much of an interval was lost to the machine rather than to the server:
 * - The time in which the control was slow too: the machine stalled, or the probing thread itself was not run. A
 *   server that is stopped, waits for a disk or computes does not slow the control.
 * - Apart from that, the time in which the server's main thread, or one that it may wait for, was ready but not run.
 *   It counts up to the processor time of other processes: the server's own threads and children do not excuse it.
 * Time in which the main thread ran never counts.
 */
export function machineDelayMs(span: WatchedSpan, waits: readonly ControlWait[]): number {
  let stalledMs = 0;
  let countedMs = 0;
  for (const wait of waits) {
    const overlapMs = Math.min(wait.to, span.to) - Math.max(wait.from, span.from);
    if (overlapMs <= 0 || lengthOf(wait) <= slowControlMs) continue;
    stalledMs += overlapMs;
    countedMs += Math.min(wait.waitedMs, overlapMs);
  }
  const readyMs = Math.min(span.waitedMs + span.helperWaitedMs, span.foreignMs);
  const waitedMs = Math.max(0, readyMs - countedMs);
  return Math.max(0, Math.min(stalledMs + waitedMs, lengthOf(span) - span.ranMs));
}

interface ProbeSummary {
  readonly answered: number;
  readonly failed: number;
  /** The slowest probe, without the machine's delay. */
  readonly longestMs: number;
  /** Text for the figure if a slow probe was excused; otherwise empty. */
  readonly note: string;
}

export function summarizeProbes({ probes, waits }: ProbeRecords): ProbeSummary {
  const measured = probes.map((probe) => {
    const excusedMs = machineDelayMs(probe, waits);
    return { ms: lengthOf(probe), excusedMs, ownMs: lengthOf(probe) - excusedMs };
  });
  const excused = measured.filter(({ ms, ownMs }) => ms >= maxHealthMs && ownMs < maxHealthMs);
  const slowest = excused.toSorted((a, b) => b.ms - a.ms)[0];
  return {
    answered: probes.filter(({ status }) => status !== 0).length,
    failed: probes.filter(({ status }) => status !== 200).length,
    longestMs: measured.reduce((longest, { ownMs }) => Math.max(longest, ownMs), 0),
    note:
      slowest === undefined
        ? ''
        : `; excused ${excused.length} of ${probes.length} probes of /health/live: the slowest took ${slowest.ms.toFixed(0)} ms, the machine delayed it by ${slowest.excusedMs.toFixed(0)} ms`,
  };
}

/** Excuses a delay that the row measured itself, in the way of a probe of /health/live. */
export function subtractMachineDelay(
  name: string,
  ms: number,
  excusedMs: number,
  limitMs = maxHealthMs,
): { readonly ownMs: number; readonly note: string } {
  if (ms < limitMs) return { ownMs: ms, note: '' };
  return {
    ownMs: Math.max(0, ms - excusedMs),
    note: `; excused ${name}: ${ms.toFixed(0)} ms, the machine delayed it by ${excusedMs.toFixed(0)} ms`,
  };
}
