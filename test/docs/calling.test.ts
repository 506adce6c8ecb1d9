import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { findOnPath } from '../helpers/programs.js';

const page = readFileSync('docs/calling.md', 'utf8');
const blocks = [...page.matchAll(/^```\w+\n(?:#|\/\/) (\w+\.\w+)\n([\s\S]*?)^```$/gm)];
const folder = mkdtempSync(join(tmpdir(), 'sardonyx-calling-'));
const timeoutMs = 300_000;

/**
 * What the proxy does to each request in turn; the server answers those after the last. `drop`: the server does not get
 * the request; `lose`: the client does not get the answer.
 */
type Fault = 'drop' | 'lose' | { readonly status: number; readonly retryAfter?: string };

/** A proxy in front of the server, which fails as a test wishes. */
let faults: Fault[] = [];
let tries: IncomingHttpHeaders[] = [];
let connections = 0;
let server: TestApp;
const proxy = createServer((request, response) => void pass(request, response));
proxy.on('connection', () => {
  connections += 1;
});

async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  tries.push(request.headers);
  const fault = faults.shift();
  if (fault === 'drop') {
    request.socket.destroy();
  } else if (fault !== undefined && fault !== 'lose') {
    const { status, retryAfter } = fault;
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    response.end(JSON.stringify({ status, code: 'fault_of_the_test' }));
  } else {
    const answer = await server.app.inject({
      method: request.method as 'GET' | 'POST',
      url: request.url as string,
      headers: request.headers,
      payload: Buffer.concat(chunks),
    });
    if (fault === 'lose') return void request.socket.destroy();
    response.writeHead(answer.statusCode, { 'content-type': String(answer.headers['content-type']) });
    response.end(answer.rawPayload);
  }
}

beforeAll(async () => {
  server = await buildTestApp();
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const [, name, text] of blocks) {
    writeFileSync(join(folder, name as string), (text as string).replaceAll('http://127.0.0.1:8000', url));
  }
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await server.app.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  faults = [];
  tries = [];
  connections = 0;
});

/** Runs a command in the folder of the blocks; `code` is its exit code. */
async function run(file: string, args: readonly string[]) {
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((done) => {
    const options = { cwd: folder, timeout: timeoutMs, env: { ...process.env, CGO_ENABLED: '0' } };
    execFile(file, args, options, (error, stdout, stderr) =>
      done({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

const tsx = resolve('node_modules/tsx/dist/loader.mjs');
const clients: readonly { name: string; program: string; command: readonly string[] }[] = [
  { name: 'ask.sh', program: 'curl', command: ['sh', 'ask.sh'] },
  { name: 'client.py', program: 'python3', command: ['python3', 'client.py'] },
  { name: 'client.ts', program: 'node', command: [process.execPath, '--import', tsx, 'client.ts'] },
  { name: 'client.go', program: 'go', command: ['./client'] },
];

test('docs/calling.md has the programs that are run here', () => {
  const names = blocks.map(([, name]) => name);
  expect(names.toSorted()).toEqual([...clients.map(({ name }) => name), 'frame.py', 'job.py'].sort());
});

describe.each(clients)('$name of docs/calling.md', ({ program, command }) => {
  const isMissing = findOnPath([program]) === undefined;
  const note = isMissing ? `: needs ${program}` : '';
  const isCurl = program === 'curl';
  const [file = '', ...args] = command;

  beforeAll(async () => {
    if (isMissing || program !== 'go') return;
    const built = await run('go', ['build', '-o', 'client', 'client.go']);
    expect(built.stderr).toBe('');
  }, timeoutMs);

  test.skipIf(isMissing)(`prints the prediction${note}`, { timeout: timeoutMs }, async () => {
    const { stdout, stderr } = await run(file, args);
    expect(stderr).toBe('');
    expect(isCurl ? String(JSON.parse(stdout).prediction) : stdout.trim()).toBe('1');
    expect(tries).toHaveLength(1);
    expect(tries[0]).toMatchObject({ 'x-request-timeout-ms': '2000' });
  });

  test.skipIf(isMissing)(
    `retries with the same request id, on kept connections${note}`,
    {
      timeout: timeoutMs,
    },
    async () => {
      const busy: Fault = { status: 503, retryAfter: '1' };
      faults = isCurl ? [busy] : [busy, 'drop'];
      const expected = faults.length + 1;
      const started = performance.now();
      const { code, stderr } = await run(file, args);
      expect(code, stderr).toBe(0);
      expect(tries).toHaveLength(expected);
      expect(performance.now() - started).toBeGreaterThan(950);
      // One more after the connection that was dropped.
      expect(connections).toBe(isCurl ? 1 : 2);
      if (!isCurl) expect(new Set(tries.map((headers) => headers['x-request-id'])).size).toBe(1);
    },
  );

  test.skipIf(isMissing)(
    `retries neither a 400 nor a 504 without Retry-After${note}`,
    {
      timeout: timeoutMs,
    },
    async () => {
      for (const status of isCurl ? [400] : [400, 504]) {
        tries = [];
        faults = [{ status }];
        const { code, stdout, stderr } = await run(file, args);
        expect(code).not.toBe(0);
        expect(stdout + stderr).toContain('fault_of_the_test');
        expect(tries).toHaveLength(1);
      }
    },
  );
});

test.skipIf(findOnPath(['python3']) === undefined)(
  'job.py of docs/calling.md submits one job, though an answer is lost and the server is busy, and prints its results',
  { timeout: timeoutMs },
  async () => {
    const busy: Fault = { status: 503, retryAfter: '1' };
    faults = ['lose', busy];
    const first = await run('python3', ['job.py']);
    expect(first.stderr).toBe('');
    expect(first.stdout).toBe('0 1\n1 invalid_input\n');
    // Another run finds the same job.
    expect((await run('python3', ['job.py'])).stdout).toBe(first.stdout);
    const { jobs } = (await server.app.inject('/predict/batch')).json();
    expect(jobs).toMatchObject([{ status: 'completed', total_instances: 2, failed_instances: 1 }]);
    faults = [{ status: 400 }];
    tries = [];
    const refused = await run('python3', ['job.py']);
    expect([refused.code, tries.length]).toEqual([1, 1]);
  },
);

test('client.ts of docs/calling.md runs as client.mts, by tsx and by a Node.js that runs TypeScript', {
  timeout: timeoutMs,
}, async () => {
  writeFileSync(join(folder, 'client.mts'), readFileSync(join(folder, 'client.ts')));
  const runsTypeScript = 'typescript' in process.features && process.features.typescript !== false;
  for (const loader of runsTypeScript ? [['--import', tsx], []] : [['--import', tsx]]) {
    const { code, stdout, stderr } = await run(process.execPath, [...loader, 'client.mts']);
    expect([code, stdout.trim()], stderr).toEqual([0, '1']);
  }
});

test('client.ts of docs/calling.md passes the strict type check', { timeout: timeoutMs }, async () => {
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: 'nodenext', target: 'es2023' },
    ...{ types: ['node'], typeRoots: [resolve('node_modules/@types')] },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['client.ts'] }));
  const { stdout } = await run(process.execPath, [resolve('node_modules/typescript/bin/tsc')]);
  expect(stdout).toBe('');
});

const pythons = [resolve('training/.venv/bin/python'), 'python3'];
const withPandas = pythons.find(
  (python) =>
    (python === 'python3' || existsSync(python)) && spawnSync(python, ['-c', 'import pandas']).status === 0,
);

test.skipIf(withPandas === undefined)(
  `frame.py of docs/calling.md sends missing values as null${withPandas ? '' : ': needs pandas, as in training/.venv'}`,
  { timeout: timeoutMs },
  async () => {
    const { stdout, stderr } = await run(withPandas as string, ['frame.py']);
    expect(stderr).toBe('');
    expect(stdout.trim()).toMatch(/^\['(stays|leaves)', '(stays|leaves)'\]$/);
  },
);
