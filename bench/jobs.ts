import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf, shareOfMemoryMb } from '../test/helpers/processes.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../test/helpers/server-process.js';
import type { EngineLoop, EngineLoopResult } from './engine-loop.js';
import { addCreditRisk, loan } from './models.js';
import { openLoadFault, putOpenLoad } from './open-load.js';
import { askProcess, putLoad } from './server-process.js';
import { atLeast, atMost, median, percentile, sleep, type Table } from './table.js';

const model = 'models/credit-risk/20261115_143000/model.onnx';
const rows = 200_000;
const manyRows = 1_000_000;
/** Single rows a second: one connection sends fewer. */
const maxSingle = 10_000;
const row = JSON.parse(loan) as Readonly<Record<string, number>>;
const emptyLoop = 'require("node:os").setPriority(10); for (;;) {}';
const incomeOf = (k: number) => (row['income'] as number) + k / 100;
const lineOf = (k: number) => JSON.stringify({ ...row, income: incomeOf(k) });
export const linesOf = (count: number) =>
  Array.from({ length: count }, (_unused, k) => `${lineOf(k)}\n`).join('');

/** Jobs in the embedded store: rows per second against the engine alone, memory, and their effect on single rows. */
export async function benchJobs(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const stateDir = mkdtempSync(join(tmpdir(), 'sardonyx-bench-'));
  try {
    await using server = await startServerProcess({
      MODELS_DIR: folder.path,
      STATE_DIR: stateDir,
    });
    // First: the process of jobs stays for a minute, and what it shares with the server would count as the server's.
    await measureMemory(table, server);
    await measureRate(table, server);
    await measureNeighbour(table, server, 'p99 of single rows with a job relative to without');
  } finally {
    rmSync(stateDir, { recursive: true });
  }
}

async function measureRate(table: Table, { url }: ServerProcess): Promise<void> {
  const body = linesOf(rows);
  const [whole, worked, engine]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= table.rounds; round += 1) {
    const started = performance.now();
    const id = await submit(url, body);
    const accepted = performance.now();
    await untilEnded(url, id);
    const ended = performance.now();
    const results = await (await fetch(`${url}/predict/batch/${id}/results`)).text();
    const read = performance.now();
    if (results.split('\n').length !== rows + 1) throw new Error('not every row has a result');
    const best = await askEngine(table.seconds);
    if (round === 0) continue;
    engine.push(best);
    whole.push((1_000 * rows) / (read - started) / best);
    worked.push((1_000 * rows) / (ended - accepted) / best);
  }
  table.add('rows per second, the engine alone on these rows', median(engine), '1/s');
  const job = 'a job of 200,000 rows relative to the engine alone, ';
  table.add(`${job}from submission to the last result`, median(whole), '×', atLeast(0.5));
  table.add(`${job}from acceptance to its end`, median(worked), '×', atLeast(0.8));
}

/** Rows per second of the engine alone, in runs of 256 of the same rows. */
export async function askEngine(seconds: number): Promise<number> {
  const loop: EngineLoop = {
    path: model,
    input: 'X',
    values: Object.values(row),
    matrix: Array.from({ length: rows }, (_unused, k) => Object.values({ ...row, income: incomeOf(k) })),
    rows: 256,
    seconds,
  };
  return (await askProcess<EngineLoopResult>('./engine-loop.ts', loop)).rowsPerSecond;
}

/** The memory of the machine that a job takes: pages that the server and its children share count once. */
async function measureMemory(table: Table, { url, child }: ServerProcess): Promise<void> {
  const server = child.pid as number;
  const [own, all] = [() => shareOfMemoryMb(server), () => shareOfTree(server)];
  const [idle, idleWithChildren] = [own(), all()];
  let [most, mostWithChildren] = [idle, idleWithChildren];
  const timer = setInterval(() => {
    most = Math.max(most, own());
    mostWithChildren = Math.max(mostWithChildren, all());
  }, 50);
  await untilEnded(url, await submit(url, linesOf(manyRows)));
  clearInterval(timer);
  const name = 'memory of a job of 1,000,000 rows above that before';
  table.add(`${name}, of the server`, most - idle, 'MB');
  table.add(`${name}, with the process of the job`, mostWithChildren - idleWithChildren, 'MB', atMost(100));
}

/** A child may end before it is read. */
function shareOfTree(pid: number): number {
  let share = 0;
  try {
    share = shareOfMemoryMb(pid);
  } catch {}
  return childrenOf(pid).reduce((sum, it) => sum + shareOfTree(it), share);
}

/**
 * An open loop of single rows at half of the capacity of one connection, with a job and without. No row comes
 * twice. One stall of this machine decides the p99 of a second, so the p99 is that of all rounds together. For comparison,
 * an empty loop with the priority of the job shows the effect of the machine alone.
 */
export async function measureNeighbour(
  table: Table,
  { url, port }: ServerProcess,
  name: string,
): Promise<void> {
  const fault = openLoadFault();
  if (fault !== undefined) return table.skip(name, fault);
  let next = 0;
  const single = (count: number) => Array.from({ length: count }, () => lineOf(next++));
  const { seconds } = table;
  const bodies = single(maxSingle * seconds);
  const closed = await putLoad({ port, path: '/predict', body: loan, bodies, connections: 1, seconds });
  const perSecond = closed.perSecond / 2;
  const body = linesOf(manyRows);
  const [alone, beside, besideLoop]: [number[], number[], number[]] = [[], [], []];
  const measure = async (to: number[]) => {
    const targets = single(Math.ceil(perSecond * seconds)).map((row) => ({
      url: `${url}/predict`,
      body: row,
    }));
    for (const { ms } of await putOpenLoad(targets, { perSecond, seconds })) to.push(ms);
  };
  for (let round = 0; round < 2 * table.rounds; round += 1) {
    await measure(alone);
    const id = await submit(url, body);
    await sleep(300);
    await measure(beside);
    await fetch(`${url}/predict/batch/${id}`, { method: 'DELETE' });
    const loop = spawn(process.execPath, ['-e', emptyLoop], { stdio: 'ignore' });
    try {
      await sleep(300);
      await measure(besideLoop);
    } finally {
      loop.kill('SIGKILL');
    }
  }
  const p99 = percentile(alone, 0.99);
  table.add(name, percentile(beside, 0.99) / p99, '×', atMost(1.5));
  table.add(`${name}, of an empty loop in place of the job`, percentile(besideLoop, 0.99) / p99, '×');
}

async function submit(url: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/x-ndjson' };
  const answer = await fetch(`${url}/predict/batch`, { method: 'POST', body, headers });
  if (answer.status !== 202) throw new Error(await answer.text());
  return ((await answer.json()) as { job_id: string }).job_id;
}

async function untilEnded(url: string, id: string): Promise<void> {
  for (;;) {
    const { status } = (await (await fetch(`${url}/predict/batch/${id}?limit=0`)).json()) as {
      status: string;
    };
    if (status === 'completed') return;
    if (status === 'failed') throw new Error('the job has failed');
    await sleep(10);
  }
}
