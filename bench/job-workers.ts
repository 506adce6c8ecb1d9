import { startWorkerProcess, submitLines, waitForJobEnd } from '../test/helpers/job-servers.js';
import { startRedis } from '../test/helpers/redis.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { linesOf, measureNeighbour } from './jobs.js';
import { atLeast, median, type Table } from './table.js';

const rows = 400_000;

/** Jobs in Redis: two workers against one, and the effect of a job on the single rows of the server that runs it. */
export async function benchJobWorkers(table: Table): Promise<void> {
  const redis = await startRedis();
  try {
    await measureWorkers(table, redis.url);
    const environment = { REDIS_URL: redis.url, DEFAULT_MODEL: 'credit-risk' };
    await using server = await startServerProcess(environment);
    await measureNeighbour(table, server, 'p99 of single rows with a job in Redis relative to without');
  } finally {
    await redis.stop();
  }
}

/** The server only accepts the jobs. */
async function measureWorkers(table: Table, redisUrl: string): Promise<void> {
  const environment = { REDIS_URL: redisUrl, JOBS_WORK: 'off', DEFAULT_MODEL: 'credit-risk' };
  await using server = await startServerProcess(environment);
  await using _first = await startWorkerProcess(environment);
  const body = linesOf(rows);
  const measure = async (): Promise<number> => {
    const { body: job } = await submitLines(server, body);
    const accepted = performance.now();
    await waitForJobEnd(server, job.job_id);
    return (1_000 * rows) / (performance.now() - accepted);
  };
  await measure();
  const [one, two]: [number[], number[]] = [[], []];
  for (let round = 0; round < table.rounds; round += 1) {
    one.push(await measure());
    await using _second = await startWorkerProcess(environment);
    two.push(await measure());
  }
  table.add('rows per second of a job in Redis, one worker', median(one), '1/s');
  const ratio = median(two.map((rate, k) => rate / (one[k] ?? Number.NaN)));
  table.add('rows per second of a job in Redis, two workers relative to one', ratio, '×', atLeast(1.7));
}
