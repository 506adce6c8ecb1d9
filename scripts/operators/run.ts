import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Case, listCases } from './cases.js';
import { type Hazard, hazards } from './hostile-feeds.js';
import { readReport, writeReport } from './report.js';
import { emptyResult, Known, type Result } from './result.js';
import { describeRun } from './summary.js';
import { writeTable } from './table.js';

// Tries all operators of the recipes with hostile inputs, in children that may crash, and writes a table of the ones
// that survived: src/inference/analysis/proven-operators.json. Run it again after each upgrade of the engine.
// `npm run operators -- TopK,Div` tries these operators only, and keeps the results of the last run for the others.

/** A longer run counts as a death. Text of 8 MiB has its own limit: see table.ts. */
const maxStepMs = 6_000;
const maxMemoryBytes = 1.5e9;

const cases = listCases();
const filter = process.argv[2];
const isChosen = ({ recipe }: Case) =>
  filter === undefined || filter.split(',').includes(recipe.pattern ?? recipe.op);
const queue = cases.flatMap((it, place) => (isChosen(it) ? [{ place, feed: 0 }] : []));
const earlier = filter === undefined ? [] : readReport(cases);
const results = cases.map(
  (it, place): Result => (isChosen(it) ? undefined : earlier[place]) ?? emptyResult(),
);
const started = performance.now();
const known = new Known();
const folder = mkdtempSync(join(tmpdir(), 'sardonyx-operators-'));
let lost = 0;
let children = 0;

const progress = setInterval(() => {
  console.error(`${queue.length} of ${results.length} cases left, ${lost} children lost`);
}, 15_000);
progress.unref();

await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));
rmSync(folder, { recursive: true });
const minutes = (performance.now() - started) / 60_000;
console.log(describeRun(cases, results, { minutes, lost, showFailures: filter !== undefined }));
writeReport(cases, results);
writeTable(cases, results);

async function work(): Promise<void> {
  while (queue.length > 0) await runChild();
}

/** Returns the next case that must be tried. */
function nextJob(): (typeof queue)[number] | undefined {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const it = cases[job.place] as Case;
    const result = results[job.place] as Result;
    if (known.isUnregistered(it)) {
      result.failure = 'unregistered';
      continue;
    }
    for (const hazard of known.hazardsOf(it)) {
      if (!result.deaths.has(hazard)) result.deaths.set(hazard, ['as before']);
    }
    return job;
  }
  return undefined;
}

/** Runs one child until it ends or no case is left. */
function runChild(): Promise<void> {
  children += 1;
  const notes = join(folder, String(children));
  const debug = '/usr/lib/x86_64-linux-gnu/libc_malloc_debug.so.0';
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('child.ts', import.meta.url)), notes],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        ...process.env,
        ORT_DISABLE_TELEMETRY: '1',
        // With this library of glibc, freeing memory that was written out of bounds ends the child.
        ...(existsSync(debug) && { LD_PRELOAD: debug, MALLOC_CHECK_: '3' }),
      },
    },
  );
  let job: (typeof queue)[number] | undefined;
  let reason: string | undefined;
  let lastLine = performance.now();
  let isReady = false;
  const kill = (why: string) => {
    reason ??= why;
    child.kill('SIGKILL');
  };
  let lastNote = '';
  const watch = setInterval(() => {
    const note = readNote(notes);
    if (note !== lastNote) lastLine = performance.now();
    lastNote = note;
    if (isReady && performance.now() - lastLine > maxStepMs) kill('slow');
    if (residentBytes(child.pid) > maxMemoryBytes) kill('memory');
  }, 50);
  const next = () => {
    if (job !== undefined) known.note(cases[job.place] as Case, results[job.place] as Result);
    job = nextJob();
    if (job === undefined) child.stdin.end();
    else
      child.stdin.write(
        `${job.place} ${job.feed} ${[...(results[job.place] as Result).deaths.keys()].join(',')}\n`,
      );
  };
  const take = (line: string) => {
    lastLine = performance.now();
    const [word, ...rest] = line.split(' ');
    if (word === 'ready') isReady = true;
    if (word === 'ready' || word === 'done') return next();
    const result = results[job?.place ?? -1];
    if (result === undefined) return;
    if (word === 'opened') result.gives = rest;
    else if (word === 'unopened' || word === 'unsound') result.failure = `${word}: ${rest.join(' ')}`;
    else if (word === 'sound') result.isSound = true;
    else if (word === 'sizes') result.sizes.add(Number(rest[0]));
    else if (word === 'took') {
      const hazard = hazardOf(rest[1]);
      result.slowestMs.set(hazard, Math.max(result.slowestMs.get(hazard) ?? 0, Number(rest[2])));
    }
  };
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  child.stdin.on('error', () => undefined);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearInterval(watch);
      if (job !== undefined) {
        const how = reason ?? signal ?? `exit ${code}`;
        const result = results[job.place] as Result;
        const [feed, word] = readNote(notes).split(' ');
        const hazard = hazardOf(word);
        const deaths = result.deaths.get(hazard) ?? [];
        deaths.push(how);
        result.deaths.set(hazard, deaths);
        known.note(cases[job.place] as Case, result);
        lost += 1;
        if (Number(feed) > 0) queue.unshift({ place: job.place, feed: Number(feed) + 1 });
      }
      resolve();
    });
  });
}

function readNote(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}

function hazardOf(word: string | undefined): Hazard {
  return hazards.find((it) => it === word) ?? 'sound';
}

function residentBytes(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}
