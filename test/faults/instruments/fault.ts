import { afterAll, beforeAll, expect, test } from 'vitest';
import { askHttps } from '../../helpers/ask-https.js';
import { type ServerProcess, startServerProcess } from '../../helpers/server-process.js';
import { type Control, type Probe, startControl, startProbe } from './health-probe.js';
import { judge, maxHealthMs } from './machine-delay.js';

export interface FaultContext {
  readonly server: ServerProcess;
  /** Leaves out the check that /health/live answered in time: for rows that block or end the process themselves. */
  expectBlocked(): void;
  /** How much of some time the machine is to answer for: what a row that times the server itself leaves out. */
  readonly measureMachineDelay: Probe['measureMachineDelay'];
}

interface Golden {
  readonly path: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FaultOptions {
  /** Environment of the server under fault; the sample models unless MODELS_DIR says otherwise. */
  readonly environment?: Record<string, string>;
  /** A path and body whose answer must be the same to the last bit before and after; none for no check. */
  readonly golden?: Golden | undefined;
  readonly timeoutMs?: number;
}

const sampleGolden = {
  path: '/models/credit-risk/predict',
  body: { age: 42, income: 51234.5, credit_score: 688 },
};

/** One control a test file, and none where no row has a server under fault: it costs a process. */
let control: Control | undefined;
let isControlUsed = false;

function useControl(): void {
  if (isControlUsed) return;
  isControlUsed = true;
  beforeAll(async () => {
    control = await startControl();
  });
  afterAll(() => control?.[Symbol.dispose]());
}

/**
 * One row of the faults page: a real server process, something bad done to it, and a figure.
 * `inflict` asserts what must happen and gives the figure; it must have made at least one attempt.
 * Beside it: the process lives, /health/live answered 200 within 100 ms throughout, and a golden
 * prediction is still the same to the last bit. Time in which the machine ran others, or nobody, is not the server's:
 * a row that it excuses says so in its figure.
 */
export function fault(
  id: string,
  title: string,
  inflict: (context: FaultContext) => Promise<string>,
  options: FaultOptions = {},
): void {
  const golden = 'golden' in options ? options.golden : sampleGolden;
  useControl();
  test(`${id} ${title}`, { timeout: options.timeoutMs ?? 60_000 }, async ({ task }) => {
    await using server = await startServerProcess({ ...options.environment });
    const before = golden && (await predictStable(server, golden));
    await using probe = startProbe(server, control as Control);
    let isBlocked = false;
    const figure = await inflict({
      server,
      expectBlocked: () => {
        isBlocked = true;
      },
      measureMachineDelay: probe.measureMachineDelay,
    });
    const { longestMs, failed, answered, note } = judge(await probe.stop());
    expect(figure, 'a row must report a figure').not.toBe('');
    task.meta.figure = isBlocked ? figure : figure + note;
    expect(server.child.exitCode, 'the process lives').toBe(null);
    expect(server.child.signalCode).toBe(null);
    if (!isBlocked) {
      expect(answered, 'the probe asked').toBeGreaterThan(0);
      expect(failed, 'failed probes of /health/live').toBe(0);
      expect(longestMs, 'slowest probe of /health/live').toBeLessThan(maxHealthMs);
    }
    if (golden !== undefined) expect(await predictStable(server, golden)).toBe(before);
  });
}

/** A row whose subject is not a running server: the figure alone is taken down. */
export function faultWithoutServer(
  id: string,
  title: string,
  inflict: () => Promise<string>,
  timeoutMs = 60_000,
): void {
  test(`${id} ${title}`, { timeout: timeoutMs }, async ({ task }) => {
    const figure = await inflict();
    expect(figure, 'a row must report a figure').not.toBe('');
    task.meta.figure = figure;
  });
}

declare module 'vitest' {
  interface TaskMeta {
    figure?: string;
  }
}

/** The answer without its id, which differs each time. */
async function predictStable(server: ServerProcess, { path, body, headers }: Golden): Promise<string> {
  const { status, text } = await askHttps(server.url + path, { body, headers: headers ?? {} });
  expect(status, text).toBe(200);
  return text.replace(/,"prediction_id":"[^"]+"/, '');
}
