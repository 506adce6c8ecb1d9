import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryMb } from '../test/helpers/processes.js';
import { askEngine, linesOf } from './jobs.js';
import { atLeast, atMost, median, sleep, type Table } from './table.js';

const rows = 1_000_000;

/** `sardonyx batch` on a file of lines: rows per second against the engine alone, and memory. */
export async function benchBatchFiles(table: Table): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-bench-'));
  try {
    const [few, many] = [join(folder, 'few.ndjson'), join(folder, 'many.ndjson')];
    writeFileSync(few, linesOf(1));
    writeFileSync(many, linesOf(rows));
    const [ratios, grown]: [number[], number[]] = [[], []];
    for (let round = 0; round < table.rounds; round += 1) {
      const idle = await run(few, join(folder, 'out.ndjson'));
      const whole = await run(many, join(folder, 'out.ndjson'));
      const engine = await askEngine(table.seconds);
      // The start of the command, and the load of the model, are the same for one row.
      ratios.push((1_000 * rows) / (whole.ms - idle.ms) / engine);
      grown.push(whole.peakMb - idle.peakMb);
    }
    table.add(
      'sardonyx batch, rows per second relative to the engine alone',
      median(ratios),
      '×',
      atLeast(0.5),
    );
    table.add(
      'memory of sardonyx batch for 1,000,000 rows above that for one',
      median(grown),
      'MB',
      atMost(100),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function run(input: string, out: string): Promise<{ readonly ms: number; readonly peakMb: number }> {
  const argv = ['dist/cli.js', 'batch', input, '--model', 'credit-risk', '--out', out, '--force', '--quiet'];
  const started = performance.now();
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  let peakMb = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peakMb = Math.max(peakMb, readPeak(child.pid) || 0);
    await Promise.race([ended, sleep(10)]);
  }
  if (child.exitCode !== 0) throw new Error(`sardonyx batch has ended with ${child.exitCode}`);
  return { ms: performance.now() - started, peakMb };
}

/** 0 once the process has ended. */
function readPeak(pid: number | undefined): number {
  try {
    return memoryMb(pid, 'VmHWM');
  } catch {
    return 0;
  }
}
