import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildStandIns, type Compose, startCompose } from '../helpers/compose.js';
import { buildImage, findNoContainers, podman } from '../helpers/containers.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { startGoodClient } from './instruments/clients.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { runLoad } from './instruments/load-generator.js';
import { exchangeRaw, openPlain, sendRaw } from './instruments/raw-http.js';
import { refusedForms, soundForms } from './instruments/smuggling-forms.js';

// Runs docker-compose.yml unchanged: three servers behind nginx, in containers on their own network.

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

/** How many of these lines of nginx's log went to each server first. */
function countServers(lines: readonly string[]): readonly number[] {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const address = / to ([0-9.]+):8000/.exec(line)?.[1];
    if (address !== undefined && line.includes('/predict'))
      counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  return [...counts.values()];
}

row(
  'S08',
  'nginx spreads requests over three servers, and none fails when one server is killed',
  async () => {
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
    // Without systemd, podman does not restart a container that it killed itself.
    podman('start', compose.servers[0] as string);
    await compose.waitForHealth(compose.servers[0] as string);
    return `requests by server ${counts.join(', ')} of ${asked}; one killed: failed ${result.asked - result.ok} of ${result.asked}`;
  },
);

/** How many requests for /health/live, the target of the smuggled ones, the metrics of all servers count. */
function countSmuggled(): number {
  const read = 'fetch("http://127.0.0.1:8000/metrics").then((r) => r.text()).then(console.log)';
  const texts = compose.servers.map((server) => podman('exec', server, 'node', '-e', read));
  const counts = texts.flatMap((text) => [
    ...text.matchAll(/^http_request_duration_seconds_count\{.*route="\/health\/live".*\} (\d+)$/gm),
  ]);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

row('H06', 'the servers see exactly the requests that nginx sees', async () => {
  const before = { lines: compose.accessLines().length, smuggled: countSmuggled() };
  const nginx = { port: compose.port, url: `http://127.0.0.1:${compose.port}` };
  const good = startGoodClient(nginx as ServerProcess, path, JSON.stringify(body), {
    expecting: '"model":"credit-risk"',
  });
  const forms = [...refusedForms, ...soundForms];
  for (const { bytes } of forms) {
    const end = bytes.indexOf('\r\n\r\n') + 4;
    for (const pieces of [[bytes], [bytes.subarray(0, end), bytes.subarray(end)]])
      await exchangeRaw(compose.port, pieces, 150);
  }
  // One ordinary request to that route proves that it is counted.
  await (await fetch(`${nginx.url}/health/live`)).arrayBuffer();
  const { failed, asked } = await good.stop();
  const forwarded = compose
    .accessLines()
    .slice(before.lines)
    .filter((line) => / to [0-9.]+:8000/.test(line));
  const wanted = forwarded.filter((line) => line.includes('"GET /health/live"')).length;
  const desyncs = countSmuggled() - before.smuggled - wanted;
  expect(desyncs).toBe(0);
  expect(failed).toBe(0);
  expect(forwarded.length - asked).toBeGreaterThan(soundForms.length);
  return `desyncs ${desyncs} of ${forwarded.length - asked} requests that nginx forwarded from ${2 * forms.length} messages, among ${asked} requests of another client, of which ${failed} failed`;
});

row('S03', 'no request fails when all three servers restart in turn', async () => {
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
  return `failed ${result.asked - result.ok} of ${result.asked} at ${half} a second, half of the capacity, p99 ${result.okP99.toFixed(0)} ms${sizeNote}`;
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

row('H07', 'a large body is accepted while 20 bodies of the maximum size never end', async () => {
  const bytes = 8 * 1_048_576;
  const head = (length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
  const held = await Promise.all(Array.from({ length: 20 }, () => openPlain(compose.port)));
  try {
    for (const socket of held) {
      socket.on('error', () => undefined);
      socket.resume();
      if (!socket.write(head(bytes) + ' '.repeat(bytes - 1_000))) await once(socket, 'drain');
    }
    const loan = ' '.repeat(100_000) + JSON.stringify(body);
    const { status, body: text } = await sendRaw(compose.port, head(loan.length) + loan, 3_000);
    expect(status, text).toBe(200);
    return `${held.length} of ${bytes / 1_048_576} MiB held open, another request answered ${status}`;
  } finally {
    for (const socket of held) socket.destroy();
  }
});

row('C04', 'a full Redis rewrites its append-only file without being killed', async () => {
  const redis = 'sardonyx_redis_1';
  const value = 'x'.repeat(900);
  const fill = `timeout 8 redis-benchmark -q -n 600000 -r 100000000 -P 64 -c 8 set key:__rand_int__ ${value} EX 3600`;
  const rewrite = 'redis-cli bgrewriteaof';
  podman('exec', redis, 'sh', '-c', `for i in 1 2 3; do ${fill}; ${rewrite}; done > /dev/null; true`);
  const ask = (...args: string[]) => podman('exec', redis, 'redis-cli', ...args);
  const rewritten = /aof_last_cow_size:(\d+)/.exec(ask('info', 'persistence'))?.[1];
  const evicted = Number(/evicted_keys:(\d+)/.exec(ask('info', 'stats'))?.[1]);
  const state = podman('inspect', redis, '--format', '{{.State.Status}}').trim();
  ask('flushall');
  expect(state).toBe('running');
  expect(evicted, 'evicted keys').toBeGreaterThan(0);
  const { ok, asked } = await load(100, 1);
  expect(ok).toBe(asked);
  return `${state}, evicted ${evicted}, ${Math.round(Number(rewritten) / 1_048_576)} MiB copied at the last rewrite, failed ${asked - ok} of ${asked}`;
});

row('P03', 'the log of each container is bounded', async () => {
  const names = [...compose.servers, 'sardonyx_nginx_1', 'sardonyx_redis_1', 'sardonyx_prometheus_1'];
  const sizes = names.map((name) =>
    podman('inspect', name, '--format', '{{.HostConfig.LogConfig.Size}}').trim(),
  );
  expect(sizes).toEqual(names.map(() => '10MB'));
  return `${sizes.length} of ${names.length} containers bounded at ${sizes[0]}`;
});
