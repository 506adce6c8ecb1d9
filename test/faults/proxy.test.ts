import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findFreePort } from '../helpers/free-port.js';
import { provideNginx, startNginx } from '../helpers/nginx.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { sendRaw } from './instruments/raw-http.js';

// What nginx in front of servers does by itself: the client address that it forwards, and its own error answers.

const nginxPath = provideNginx();
const row = (id: string, title: string, inflict: (path: string) => Promise<string>) => {
  if (nginxPath === undefined) test.skip(`${id} ${title}: there is no nginx`, () => undefined);
  else faultWithoutServer(id, title, () => inflict(nginxPath), 60_000);
};

const path = '/models/credit-risk/predict';
const rows = '/v1/models/credit-risk:predict';
const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const json = { 'content-type': 'application/json' };
const environment = { TRUST_PROXY: '127.0.0.0/8' };

row('A07', 'a client behind nginx that forges X-Forwarded-For is limited', async (nginxPath) => {
  const limit = 5;
  await using server = await startServerProcess({ ...environment, RATE_LIMIT_MAX: String(limit) });
  await using nginx = await startNginx(nginxPath, server.port);
  const statuses: number[] = [];
  for (let k = 0; k < 4 * limit; k += 1) {
    const headers = { ...json, 'x-forwarded-for': `203.0.113.${k}` };
    const response = await fetch(`http://127.0.0.1:${nginx.port}${path}`, {
      method: 'POST',
      headers,
      body: loan,
    });
    await response.arrayBuffer();
    statuses.push(response.status);
  }
  const bypasses = statuses.filter((status) => status === 200).length - limit;
  expect(bypasses).toBe(0);
  expect(statuses.at(-1)).toBe(429);
  return `bypasses ${bypasses} of ${statuses.length}, requests, each with another forged address`;
});

const long = 'a'.repeat(9_000);
const get = (target: string, headers = 'Host: a\r\n', version = '1.1') =>
  `GET ${target} HTTP/${version}\r\n${headers}Connection: close\r\n\r\n`;
const post = (headers: string, target = path) =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}Connection: close\r\n\r\n`;

/** Errors of nginx while the server answers: name, bytes, status, code. */
const refused: readonly [string, string, number, string][] = [
  ['not HTTP', 'hello\r\n\r\n', 400, 'invalid_request'],
  ['no Host', get('/health', ''), 400, 'invalid_request'],
  ['a NUL in the address', get('/health%00'), 400, 'invalid_request'],
  ['a header of 9 KB', get('/health', `Host: a\r\nX-A: ${long}\r\n`), 431, 'headers_too_large'],
  ['an address of 9 KB', get(`/${long}`), 414, 'invalid_request'],
  ['TRACE', get('/health').replace('GET', 'TRACE'), 405, 'method_not_allowed'],
  ['an unknown coding', post('Transfer-Encoding: x\r\n'), 501, 'invalid_request'],
  ['HTTP/3.0 in words', get('/health', 'Host: a\r\n', '3.0'), 505, 'invalid_request'],
  ['9 MB', post('Content-Length: 9000000\r\n'), 413, 'body_too_large'],
  ['9 MB to another route', post('Content-Length: 9000000\r\n', '/models'), 413, 'body_too_large'],
  ['9 MB of many rows', post('Content-Length: 9000000\r\n', rows), 413, 'body_too_large'],
  ['metrics', get('/metrics'), 404, 'not_found'],
  ['metrics, encoded', get('/x/..//%6detrics?a'), 404, 'not_found'],
];

/** Errors of nginx while no server answers. */
const unreachable: readonly [string, string, number, string][] = [
  ['a prediction', `${post(`Content-Length: ${loan.length}\r\n`)}${loan}`, 502, 'bad_gateway'],
  ['many rows', `${post('Content-Length: 2\r\n', rows)}{}`, 502, 'bad_gateway'],
  ['models of KServe', get('/v1/models'), 502, 'bad_gateway'],
  ['models', get('/models'), 502, 'bad_gateway'],
];

row('H10', 'errors of nginx itself are answered as problems', async (nginxPath) => {
  await using server = await startServerProcess(environment);
  await using nginx = await startNginx(nginxPath, server.port);
  await using alone = await startNginx(nginxPath, await findFreePort());
  const wrong: string[] = [];
  const ask = async (port: number, forms: typeof refused) => {
    for (const [name, bytes, status, code] of forms) {
      const answer = await sendRaw(port, bytes);
      const type = answer.headers.get('content-type') ?? '';
      const isProblem = type.startsWith('application/problem+json');
      const problem = isProblem ? JSON.parse(answer.body) : {};
      if (answer.status !== status || problem.status !== status || problem.code !== code)
        wrong.push(`${name}: ${answer.status} ${type} ${answer.body.slice(0, 80)}`);
      // Clients of KServe read the member `error`.
      if ((problem.error !== undefined) !== bytes.includes(' /v1/')) wrong.push(`${name}: ${answer.body}`);
      if (status === 502 && !(Number(answer.headers.get('retry-after')) > 0))
        wrong.push(`${name}: no Retry-After`);
    }
  };
  await ask(nginx.port, refused);
  await ask(alone.port, unreachable);
  expect(wrong).toEqual([]);
  // Old load balancers probe with HTTP/1.0.
  const health = await sendRaw(nginx.port, get('/health/live', '', '1.0'));
  expect(health.status).toBe(200);
  return `other bodies ${wrong.length} of ${refused.length + unreachable.length}`;
});

row('S08', 'a prediction that hangs in one server is sent to another', async (nginxPath) => {
  await using frozen = await startServerProcess(environment);
  await using other = await startServerProcess(environment);
  await using nginx = await startNginx(nginxPath, frozen.port, other.port);
  frozen.child.kill('SIGSTOP');
  try {
    const started = performance.now();
    // Enough requests that each server gets some.
    const asks = Array.from({ length: 4 }, () =>
      fetch(`http://127.0.0.1:${nginx.port}${path}`, { method: 'POST', headers: json, body: loan }),
    );
    const statuses = (await Promise.all(asks)).map(({ status }) => status);
    const seconds = (performance.now() - started) / 1_000;
    expect(statuses).toEqual([200, 200, 200, 200]);
    const waited = nginx.lines().filter((line) => line.includes(`to 127.0.0.1:${frozen.port}, `));
    expect(waited.length, 'requests that the frozen server got first').toBeGreaterThan(0);
    expect(seconds).toBeLessThan(15);
    return `failed 0 of ${asks.length}, ${waited.length} of them resent after ${seconds.toFixed(1)} s`;
  } finally {
    frozen.child.kill('SIGCONT');
  }
});

row('S08', 'a prediction that breaks three servers is not sent to a fourth', async (nginxPath) => {
  let asked = 0;
  const servers = Array.from({ length: 4 }, () =>
    createServer((socket) =>
      socket.once('data', () => {
        asked += 1;
        socket.resetAndDestroy();
      }),
    ).listen(0, '127.0.0.1'),
  );
  try {
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    await using nginx = await startNginx(nginxPath, ...ports);
    const answer = await sendRaw(nginx.port, `${post(`Content-Length: ${loan.length}\r\n`)}${loan}`);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'bad_gateway']);
    expect(asked).toBe(3);
    return `sent to ${asked} of ${servers.length} servers`;
  } finally {
    for (const server of servers) server.close();
  }
});

row('A04', 'a key in a query appears in no log of nginx', async (nginxPath) => {
  const key = 'canary-5e9f';
  await using nginx = await startNginx(nginxPath, await findFreePort());
  // Three causes of log lines: a body that is too large for memory, a missing upstream, a refused body.
  for (const size of [100_000, 9_000_000]) {
    const body = ' '.repeat(size);
    await fetch(`http://127.0.0.1:${nginx.port}${path}?api_key=${key}`, {
      method: 'POST',
      headers: json,
      body,
    }).catch(() => undefined);
  }
  await pause(200);
  const lines = [...nginx.lines(), ...nginx.errors()];
  expect(nginx.lines().length).toBe(2);
  expect(lines.filter((line) => line.includes(key))).toEqual([]);
  return `leaks 0 of ${lines.length} lines`;
});
