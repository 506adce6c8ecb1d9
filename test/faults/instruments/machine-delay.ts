/** A piece of time by the machine's monotonic clock, in ms. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A piece of time, how long a thread ran in it or was ready and not run, and how long others than its process computed. */
export interface WatchedSpan extends Span {
  readonly ranMs: number;
  readonly waitedMs: number;
  /** The most that another thread of the process was ready and not run: this one may have waited for it. */
  readonly helperWaitedMs: number;
  readonly foreignMs: number;
}

/** An answer of /health/live; status 0 for none. */
export interface Ask extends WatchedSpan {
  readonly status: number;
}

/** What a process that does nothing but answer took, and how long the server's main thread was not run meanwhile. */
export interface ControlWait extends Span {
  readonly waitedMs: number;
}

export interface ProbeRecords {
  readonly asks: readonly Ask[];
  /** Asked in a like rhythm by the same thread. */
  readonly waits: readonly ControlWait[];
}

export const maxHealthMs = 100;
/** An idle process that is let run answers in a few ms, also when others compute. */
const slowControlMs = 20;

const lengthOf = ({ from, to }: Span) => to - from;

/**
 * How much of a piece of time the machine, not the server, is to answer for:
 * - The control was slow in the same moment: the machine ran nobody, or not the one who asks. A thread that is
 *   stopped, waits for a disk or computes makes nobody else slow.
 * - Else, the server's main thread was ready and not run, or one on which it waited. What the server's own children
 *   and threads took is no excuse, so no more counts than what others computed meanwhile.
 * While that thread ran, nobody kept it waiting, however slow the control was.
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

export interface Judgement {
  readonly answered: number;
  readonly failed: number;
  /** The slowest answer, less what the machine is to answer for. */
  readonly longestMs: number;
  /** What a row that was excused has to say; else nothing. */
  readonly note: string;
}

export function judge({ asks, waits }: ProbeRecords): Judgement {
  const judged = asks.map((ask) => {
    const excusedMs = machineDelayMs(ask, waits);
    return { ms: lengthOf(ask), excusedMs, ownMs: lengthOf(ask) - excusedMs };
  });
  const excused = judged.filter(({ ms, ownMs }) => ms >= maxHealthMs && ownMs < maxHealthMs);
  const slowest = excused.toSorted((a, b) => b.ms - a.ms)[0];
  return {
    answered: asks.filter(({ status }) => status !== 0).length,
    failed: asks.filter(({ status }) => status !== 200).length,
    longestMs: judged.reduce((longest, { ownMs }) => Math.max(longest, ownMs), 0),
    note:
      slowest === undefined
        ? ''
        : `; excused ${excused.length} of ${asks.length} probes of /health/live, the slowest took ${slowest.ms.toFixed(0)} ms, of which the machine kept it waiting for ${slowest.excusedMs.toFixed(0)}`,
  };
}

/** What a row has timed itself, judged as /health/live is. */
export function subtractMachineDelay(
  name: string,
  ms: number,
  excusedMs: number,
  limitMs = maxHealthMs,
): { readonly ownMs: number; readonly note: string } {
  if (ms < limitMs) return { ownMs: ms, note: '' };
  return {
    ownMs: Math.max(0, ms - excusedMs),
    note: `; excused ${name}: ${ms.toFixed(0)} ms, of which the machine kept it waiting for ${excusedMs.toFixed(0)}`,
  };
}
