import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fakeClock, noFakeClock, provideFakeClock } from '../helpers/fake-clock.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

const library = provideFakeClock();
const title = 'the unit tests pass a year ahead, in another time zone and another locale';
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-elsewhere-'));
afterAll(() => rmSync(temp, { recursive: true }));

/** The small size runs the tests that depend on days, keys, certificates and names; the full size runs all. */
const files = isFullSize
  ? []
  : ['test/auth/', 'test/cli/', 'test/rate-limit/', 'test/models/proposal/', 'test/tls/'];
const limitMs = isFullSize ? 1_800_000 : 900_000;
// Kathmandu is 5:45 h ahead of UTC; Turkish has a dotless i, and a comma in its numbers.
const place = { TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' };

if (library === undefined) {
  test.skip(`S05 ${title}: ${noFakeClock}`, () => undefined);
} else {
  const environment = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^VITEST|^NODE_ENV$/.test(name))),
    ...place,
    ...fakeClock(library, { FAKETIME: '+365d' }),
  };

  faultWithoutServer(
    'S05',
    title,
    async () => {
      const file = join(temp, 'there.txt');
      const ask = `require('fs').writeFileSync(process.argv[1], [Date.now(), new Date(0).getHours(), (0.5).toLocaleString()].join(' '))`;
      await run(['-e', ask, file], environment);
      const [now = 0, hours, half] = readFileSync(file, 'utf8').split(' ');
      const days = (Number(now) - Date.now()) / 86_400_000;
      expect([Math.round(days), hours, half], 'days ahead, offset and locale of the child').toEqual([
        365,
        '5',
        '0,5',
      ]);

      const report = join(temp, 'report.json');
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--project', 'programs'];
      const output = await run(
        [...vitest, '--reporter=json', `--outputFile=${report}`, ...files],
        environment,
      );
      const { numTotalTests, numPassedTests, numPendingTests, testResults } = readReport(report, output);
      const failed = testResults
        .flatMap(({ assertionResults }) => assertionResults)
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]?.split('\n', 1)}`);
      expect(failed).toEqual([]);
      expect(testResults.filter(({ status }) => status !== 'passed')).toEqual([]);
      expect(numPassedTests).toBe(numTotalTests - numPendingTests);
      expect(numPassedTests).toBeGreaterThan(100);
      return `passed ${numPassedTests} of ${numTotalTests} tests at +${Math.round(days)} d, ${Object.values(place).slice(0, 2).join(', ')}, skipped ${numPendingTests}; Redis uses the machine's clock${sizeNote}`;
    },
    limitMs,
  );
}

interface Report {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

function readReport(path: string, output: string): Report {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`the tests did not end: ${output.slice(-2_000)}`, { cause });
  }
}

/** Runs Node to its end, and returns its output whatever the exit code is. */
async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // The child must not outlive this row.
    timeout: limitMs - 10_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
  }
  await once(child, 'close');
  return output;
}
