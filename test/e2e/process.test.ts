import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import {
  runServerToItsEnd,
  type ServerProcess,
  startServerProcess,
  waitForLine,
} from '../helpers/server-process.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const run = promisify(execFile);

/** Returns the whole start summary. */
async function readBanner(server: ServerProcess): Promise<string> {
  const isWhole = () => server.stderr.some((line) => line.includes('curl'));
  // If a part never comes, the assertion of the test fails with the text that has come.
  await vi.waitUntil(isWhole, { timeout: 30_000, interval: 5 }).catch(() => undefined);
  return server.stderr.join('\n');
}

test('a host name with several addresses listens on the first one only', async () => {
  await using server = await startServerProcess({ HOST: 'localhost' });
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
  expect(server.stdout.filter((line) => line.includes('listening at'))).toHaveLength(1);
});

describe('the start summary', () => {
  test('names models, versions, and the manual, once, within a second of the start', async () => {
    await using server = await startServerProcess();
    const banner = await readBanner(server);
    expect(banner.match(/Sardonyx answers at/g)).toHaveLength(1);
    expect(banner).toContain(`Sardonyx answers at ${server.url} after `);
    expect(banner).toMatch(/credit-risk +20261101_090000, 20261115_143000 \(default\)/);
    for (const name of ['breast-cancer', 'churn', 'diabetes', 'digits']) expect(banner).toContain(name);
    expect((await fetch(/Manual +(\S+)/.exec(banner)?.[1] ?? '')).status).toBe(200);
  });

  test('has a curl line that works when pasted', async () => {
    await using server = await startServerProcess();
    const line = /Try it +(curl .*)/.exec(await readBanner(server))?.[1] ?? '';
    expect(line).toContain(loan);
    const { stdout } = await run('sh', ['-c', `${line} -s`]);
    expect(JSON.parse(stdout)).toMatchObject({ prediction: 1, model: 'credit-risk' });
  });

  test('has a curl line that works when the example holds a quote', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('odd', '1', {
      manifest: { task: 'regression', features: [{ name: "it's $HOME `x`", type: 'number', example: 2 }] },
      model: linearRegression([3]),
    });
    await using server = await startServerProcess({ MODELS_DIR: folder.path });
    const line = /Try it +(curl .*)/.exec(await readBanner(server))?.[1] ?? '';
    const { stdout } = await run('sh', ['-c', `${line} -s`]);
    expect(JSON.parse(stdout)).toMatchObject({ prediction: 6 });
  });

  test('names refused versions with their reasons', async () => {
    using folder = createRegistryFolder();
    const manifest = { task: 'regression' as const, features: [{ name: 'a', type: 'number' as const }] };
    folder.addVersion('sum', '1', { manifest, model: linearRegression([1]) });
    folder.addVersion('sum', '2', { manifest, model: Buffer.from('junk') });
    await using server = await startServerProcess({ MODELS_DIR: folder.path });
    const banner = await readBanner(server);
    expect(banner).toMatch(/sum +1 \(default\)/);
    expect(banner).toMatch(/refused 2: model\.onnx \S+/);
    expect(server.stdout.find((line) => line.includes('version refused'))).toContain('"level":50');
  });
});

describe('a server that is not ready after its start', () => {
  test.each([
    ['DEFAULT_MODEL', 'nope', '"nope" is none of the models: breast-cancer'],
    ['REQUIRED_MODELS', 'churn,nope', '"nope" is none of the models: breast-cancer'],
  ])(
    'because of %s gives the reason in the start summary and in the log',
    async (variable, value, reason) => {
      await using server = await startServerProcess({ [variable]: value });
      expect(await readBanner(server)).toContain(`  Not ready: ${reason}`);
      await waitForLine(server, '"msg":"not ready"');
      const line = server.stdout.find((text) => text.includes('"msg":"not ready"'));
      expect(JSON.parse(line ?? '{}')).toMatchObject({
        level: 40,
        reasons: [expect.stringContaining(reason)],
      });
    },
  );

  test('describes a model without a version as such, and not as refused', async () => {
    using folder = createRegistryFolder();
    folder.write('half/1/model.onnx', linearRegression([1]));
    folder.addVersion('sum', '1', {
      manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
      model: linearRegression([1]),
    });
    await using server = await startServerProcess({ MODELS_DIR: folder.path });
    expect(await readBanner(server)).toMatch(/half +serves nothing: it has no version yet/);
  });
});

describe('a server that gets a signal to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('exits with 0 after %s', async (signal) => {
    await using server = await startServerProcess();
    await fetch(`${server.url}/health`);
    server.child.kill(signal);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stdout.at(-1)).toContain('"msg":"stopped"');
  });

  test('answers the request that is coming in, and closes its connection', async () => {
    await using server = await startServerProcess();
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const head = `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${loan.length}\r\n\r\n`;
    socket.write(head + loan.slice(0, 10));
    // An answer to a later request shows that the first one has begun.
    await fetch(`${server.url}/health`, { headers: { connection: 'close' } });
    server.child.kill('SIGTERM');
    await waitForLine(server, '"msg":"stopping"');
    socket.write(loan.slice(10));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  test('is not ready, but still answers, for SHUTDOWN_DELAY_MS', async () => {
    await using server = await startServerProcess({ SHUTDOWN_DELAY_MS: '500' });
    server.child.kill('SIGTERM');
    await waitForLine(server, '"msg":"stopping"');
    const ready = await fetch(`${server.url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(ready.headers.get('connection')).toBe('close');
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/predict`, { method: 'POST', headers, body: loan });
    expect(answer.status).toBe(200);
    expect((await server.ended).code).toBe(0);
  });

  test('cuts a request that never ends after SHUTDOWN_TIMEOUT_MS', async () => {
    await using server = await startServerProcess({ SHUTDOWN_TIMEOUT_MS: '300' });
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    await fetch(`${server.url}/health`, { headers: { connection: 'close' } });
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });
});

test('a wrong configuration writes one line for each problem and exits with 1', async () => {
  const { code, stdout, stderr } = await runServerToItsEnd({ PORT: 'x', DOCS: 'maybe' });
  expect(code).toBe(1);
  expect(stderr).toEqual([
    'sardonyx: PORT: got "x", takes a whole number from 0 to 65535',
    'sardonyx: DOCS: got "maybe", takes one of on, off',
  ]);
  expect(stdout).toEqual([]);
});

test('an uncaught error is logged as fatal and ends the process with 1', async () => {
  const throwing = "process.once('SIGUSR2', () => Promise.reject(new Error('nobody caught this')))";
  const preload = `data:text/javascript,${encodeURIComponent(throwing)}`;
  await using server = await startServerProcess({ NODE_OPTIONS: `--import=${preload}` });
  server.child.kill('SIGUSR2');
  expect(await server.ended).toEqual({ code: 1, signal: null });
  // A line that another thread was writing may come after the fatal one.
  const fatal = server.stdout.filter((line) => line.includes('"level":60'));
  expect(fatal.map((line) => JSON.parse(line))).toMatchObject([
    { origin: 'unhandledRejection', err: { message: 'nobody caught this' } },
  ]);
});
