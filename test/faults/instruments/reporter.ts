import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

interface Row {
  readonly id: string;
  readonly result: string;
  readonly figure: string;
}

/** Prints a table of all rows at the end of a run, and writes it to reports/faults.json. */
export default class FaultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = modules
      .flatMap((module) => [...module.children.allTests()])
      .map(toRow)
      .sort((a, b) => a.id.localeCompare(b.id));
    if (rows.length === 0) return;
    mkdirSync('reports', { recursive: true });
    writeFileSync('reports/faults.json', `${JSON.stringify(rows, null, 2)}\n`);
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    console.log(
      `\nFaults at ${commit}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    );
    for (const { id, result, figure } of rows) console.log(`${id.padEnd(5)} ${result.padEnd(8)} ${figure}`);
  }
}

function toRow(test: TestCase): Row {
  const [id = ''] = test.name.split(' ', 1);
  const { figure } = test.meta();
  const reason = test.result().errors?.[0]?.message.split('\n', 1)[0];
  return { id, result: test.result().state, figure: figure ?? reason ?? '' };
}
