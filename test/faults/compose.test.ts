import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildStandIns, type Compose, startCompose } from '../helpers/compose.js';
import { buildImage, findNoContainers, podman } from '../helpers/containers.js';
import { faultWithoutServer } from './harness.js';
import { runLoad } from './open-loop.js';
import { isFullSize, sizeNote } from './size.js';

// docker-compose.yml as it is: three servers behind nginx, in containers of a network of their own.

const why = findNoContainers();
let compose: Compose;
if (why === undefined) {
  beforeAll(async () => {
    buildImage();
    buildStandIns();
    compose = await startCompose('test');
  }, 900_000);
  afterAll(() => compose?.[Symbol.asyncDispose](), 120_000);
}

const row = (id: string, title: string, inflict: () => Promise<string>) => {
  if (why === undefined) faultWithoutServer(id, title, inflict, 300_000);
  else test.skip(`${id} ${title}: ${why}`, () => undefined);
};

const path = '/models/credit-risk/predict';
const body = { age: 42, income: 51234.5, credit_score: 688 };
const load = (perSecond: number, seconds: number) =>
  runLoad({ port: compose.port }, { path, body, perSecond, seconds, clients: 32 });

/** How many of these lines of nginx's log were answered at first by each server. */
function countServers(lines: readonly string[]): readonly number[] {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const address = / to ([0-9.]+):8000/.exec(line)?.[1];
    if (address !== undefined && line.includes('/predict'))
      counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  return [...counts.values()];
}

row('S08', 'spreads requests over three servers, and loses none when one of them is killed', async () => {
  const before = compose.accessLines().length;
  const { asked, ok } = await load(300, 3);
  expect(ok).toBe(asked);
  const counts = countServers(compose.accessLines().slice(before));
  expect(counts.length).toBe(3);
  expect(Math.min(...counts)).toBeGreaterThan(asked / 6);
  const during = load(300, 6);
  await pause(1_500);
  podman('kill', '--signal', 'SIGKILL', compose.servers[0] as string);
  const result = await during;
  expect(Object.keys(result.codes)).toEqual(['ok']);
  expect(result.ok).toBe(result.asked);
  // podman restarts nobody without systemd where a signal came from itself.
  podman('start', compose.servers[0] as string);
  await compose.waitForHealth(compose.servers[0] as string);
  return `of ${asked}: ${counts.join(', ')}; killed: failed ${result.asked - result.ok} of ${result.asked}`;
});

row('S03', 'loses none when all three servers restart one after the other', async () => {
  const { ok, seconds } = await measureCapacity();
  const half = Math.floor(ok / seconds / 2);
  const wanted = isFullSize ? 50_000 : 5_000;
  const during = load(half, Math.max(40, Math.ceil(wanted / half)));
  await pause(1_000);
  for (const server of compose.servers) {
    podman('restart', '--time', '30', server);
    await compose.waitForHealth(server);
  }
  const result = await during;
  expect(Object.keys(result.codes)).toEqual(['ok']);
  expect(result.asked).toBeGreaterThanOrEqual(wanted);
  return `failed ${result.asked - result.ok} of ${result.asked} at ${half} a second, half of what they can, p99 ${result.okP99.toFixed(0)} ms${sizeNote}`;
});

async function measureCapacity() {
  const seconds = 4;
  const { ok } = await runLoad({ port: compose.port }, { path, body, seconds, clients: 32 });
  return { ok, seconds };
}

row('P03', 'Prometheus scrapes all three servers, and Redis is used', async () => {
  const url = `http://127.0.0.1:${compose.prometheusPort}/api/v1/targets`;
  const read = async () => {
    const { data } = (await (await fetch(url)).json()) as {
      data: { activeTargets: { health: string }[] };
    };
    return data.activeTargets.filter(({ health }) => health === 'up').length;
  };
  let up = await read();
  for (let tries = 0; up !== 3 && tries < 30; tries += 1) {
    await pause(1_000);
    up = await read();
  }
  expect(up).toBe(3);
  const health = (await (await fetch(`http://127.0.0.1:${compose.port}/health`)).json()) as {
    status: string;
    redis: { state: string };
  };
  expect([health.status, health.redis.state]).toEqual(['ok', 'up']);
  return `targets up ${up} of 3, Redis ${health.redis.state}`;
});
