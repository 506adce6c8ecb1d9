import { afterAll, beforeAll, expect, test } from 'vitest';
import { askHttps } from '../../helpers/ask-https.js';
import { type ServerProcess, startServerProcess } from '../../helpers/server-process.js';
import { type Control, type Probe, startControl, startProbe } from './health-probe.js';
import { maxHealthMs, summarizeProbes } from './machine-delay.js';

export interface FaultContext {
  readonly server: ServerProcess;
  /** Skips the checks on /health/live: for rows that block or load the server themselves. */
  expectBlocked(): void;
  /** How much the machine delayed the server while a function ran: for rows that time the server themselves. */
  readonly measureMachineDelay: Probe['measureMachineDelay'];
}

interface Golden {
  readonly path: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FaultOptions {
  /** Environment of the server under fault. Without MODELS_DIR it serves the sample models. */
  readonly environment?: Record<string, string>;
  /** The request whose answer must be the same before and after the fault; undefined skips this check. */
  readonly golden?: Golden | undefined;
  readonly timeoutMs?: number;
}

const sampleGolden = {
  path: '/models/credit-risk/predict',
  body: { age: 42, income: 51234.5, credit_score: 688 },
};

/** One control for each test file that has a `fault()` row: it costs a process. */
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
 * Registers a row that inflicts a fault on a real server process. `inflict` asserts what must happen and returns the
 * figure. The row also asserts that the process lives, that /health/live answered 200 within 100 ms throughout, and
 * that the golden prediction is the same before and after. A delay of the machine is subtracted from slow probes; the
 * figure then says so.
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
    const { longestMs, failed, answered, note } = summarizeProbes(await probe.stop());
    expect(figure, 'a row must report a figure').not.toBe('');
    task.meta.figure = isBlocked ? figure : figure + note;
    expect(server.child.exitCode, 'the process lives').toBe(null);
    expect(server.child.signalCode).toBe(null);
    if (!isBlocked) {
      expect(answered, 'answered probes of /health/live').toBeGreaterThan(0);
      expect(failed, 'failed probes of /health/live').toBe(0);
      expect(longestMs, 'slowest probe of /health/live').toBeLessThan(maxHealthMs);
    }
    if (golden !== undefined) expect(await predictStable(server, golden)).toBe(before);
  });
}

/** Registers a row that starts its own processes, or none. Beside the checks of `inflict` it only checks the figure. */
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

/** The body of a prediction without `prediction_id`, which differs each time. */
async function predictStable(server: ServerProcess, { path, body, headers }: Golden): Promise<string> {
  const { status, text } = await askHttps(server.url + path, { body, headers: headers ?? {} });
  expect(status, text).toBe(200);
  return text.replace(/,"prediction_id":"[^"]+"/, '');
}
