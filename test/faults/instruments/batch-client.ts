import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { JobAnswer } from '../../helpers/job-servers.js';

const ndjson = { 'content-type': 'application/x-ndjson' };

/** Rows `{"a":0}`, `{"a":1}` … as lines of JSON. */
export function numberedRows(count: number): string {
  return Array.from({ length: count }, (_unused, k) => `{"a":${k}}\n`).join('');
}

/** Submits rows as a job. Fails if the answer is not 202. */
export async function submitJob(
  url: string,
  body: string | Uint8Array,
  { path = '/predict/batch', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<JobAnswer> {
  const answer = await fetch(url + path, { method: 'POST', body, headers: { ...ndjson, ...headers } });
  const text = await answer.text();
  expect(answer.status, text).toBe(202);
  return JSON.parse(text) as JobAnswer;
}

export async function readJob(url: string, id: string): Promise<JobAnswer> {
  const answer = await fetch(`${url}/predict/batch/${id}?limit=0`);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return JSON.parse(text) as JobAnswer;
}

/** Waits until a job fulfils a condition: by default, until it has ended. */
export async function untilJob(
  url: string,
  id: string,
  { timeoutMs = 60_000, is = (job: JobAnswer) => !['queued', 'running'].includes(job.status) } = {},
): Promise<JobAnswer> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const job = await readJob(url, id);
    if (is(job)) return job;
    if (performance.now() > deadline) throw new Error(`the job is still ${JSON.stringify(job)}`);
    await pause(20);
  }
}

/** Counts the rows of `numberedRows` that have no right result, and those that have two. */
export async function countWrong(
  url: string,
  id: string,
  rows: number,
  expected: (row: number) => number,
): Promise<{ readonly lost: number; readonly doubled: number; readonly wrong: number }> {
  const text = await (await fetch(`${url}/predict/batch/${id}/results`)).text();
  const seen = new Uint8Array(rows);
  let [doubled, wrong] = [0, 0];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { index, prediction } = JSON.parse(line) as { index: number; prediction?: number };
    if (seen[index] === 1) doubled += 1;
    seen[index] = 1;
    if (prediction !== expected(index)) wrong += 1;
  }
  return { lost: seen.filter((it) => it === 0).length, doubled, wrong };
}
