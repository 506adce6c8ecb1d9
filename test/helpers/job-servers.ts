import { setTimeout as pause } from 'node:timers/promises';
import { type ServerProcess, startServerProcess } from './server-process.js';

/** What a client sees of a job. */
export interface JobAnswer {
  readonly job_id: string;
  readonly status: string;
  readonly total_instances: number;
  readonly completed_instances: number;
  readonly failed_instances: number;
  readonly ended_at?: string;
  readonly error?: { readonly code: string; readonly detail?: string };
}

/** A process of `sardonyx worker`. */
export function startWorkerProcess(environment: Record<string, string>): Promise<ServerProcess> {
  return startServerProcess(environment, { program: ['dist/cli.js', 'worker'] });
}

/** Rows of `credit-risk`, all different: row k has the income 20,000 + k. */
export function loanLines(count: number): string {
  const row = (k: number) =>
    `{"age":${20 + (k % 50)},"income":${20_000 + k},"credit_score":${500 + (k % 300)}}`;
  return Array.from({ length: count }, (_, k) => `${row(k)}\n`).join('');
}

export async function submitLines(
  { url }: ServerProcess,
  lines: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: JobAnswer }> {
  const response = await fetch(`${url}/models/credit-risk/predict/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
    body: lines,
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as JobAnswer,
  };
}

/** Undefined if the server does not find the job, or cannot answer now. */
export async function findJob({ url }: ServerProcess, id: string): Promise<JobAnswer | undefined> {
  const response = await fetch(`${url}/predict/batch/${id}?limit=1`);
  return response.ok ? ((await response.json()) as JobAnswer) : undefined;
}

export async function waitForJobEnd(
  server: ServerProcess,
  id: string,
  withinMs = 60_000,
): Promise<JobAnswer> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const job = await findJob(server, id);
    if (job !== undefined && !['queued', 'running'].includes(job.status)) return job;
    if (performance.now() > deadline) throw new Error(`job ${id} is ${job?.status} after ${withinMs} ms`);
    await pause(50);
  }
}

/** Rows of a job that have no result, and those that have several. */
export async function countRowFaults(
  { url }: ServerProcess,
  id: string,
  total: number,
): Promise<{ readonly lost: number; readonly doubled: number }> {
  const response = await fetch(`${url}/predict/batch/${id}/results`, {
    headers: { accept: 'application/x-ndjson' },
  });
  const seen = new Map<number, number>();
  for (const line of (await response.text()).trimEnd().split('\n')) {
    if (line === '') continue;
    const { index } = JSON.parse(line) as { index: number };
    seen.set(index, (seen.get(index) ?? 0) + 1);
  }
  let [lost, doubled] = [0, 0];
  for (let k = 0; k < total; k += 1) {
    const times = seen.get(k) ?? 0;
    if (times === 0) lost += 1;
    if (times > 1) doubled += 1;
  }
  return { lost, doubled };
}
