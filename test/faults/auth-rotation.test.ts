import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { sha256 } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess, waitForLine } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';

const folder = createRegistryFolder();
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-rotation-'));
afterAll(() => {
  folder[Symbol.dispose]();
  rmSync(temp, { recursive: true });
});
folder.addVersion('plain', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
  model: linearRegression([2], 1),
});

async function runKeys(path: string, ...argv: string[]): Promise<string> {
  let [out, err] = ['', ''];
  const code = await runCli(['keys', ...argv, '--file', path], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
  });
  expect(code, err).toBe(0);
  return out.trim();
}

const body = '{"x":20}';

function ask({ port }: ServerProcess, key: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length, 'x-api-key': key };
    const sent = request({ port, path: '/predict', method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end(body);
  });
}

/** Clients that send one request after the other, with the key that `use` has set last. */
function startClients(server: ServerProcess, count: number, key: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  const statuses: Record<string, number> = {};
  let current = key;
  let isOver = false;
  const asking = Array.from({ length: count }, async () => {
    while (!isOver) {
      const status = await ask(server, current, agent);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  });
  return {
    use: (next: string) => {
      current = next;
    },
    async stop() {
      isOver = true;
      await Promise.all(asking);
      agent.destroy();
      return statuses;
    },
  };
}

/** Milliseconds until a request with the key gets one of the wanted statuses. */
async function timeUntil(server: ServerProcess, key: string, wanted: readonly number[]): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const started = performance.now();
  while (!wanted.includes(await ask(server, key, agent))) {
    expect(performance.now() - started, 'ms until the key gets another status').toBeLessThan(5_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  agent.destroy();
  return performance.now() - started;
}

for (const workers of [1, 2]) {
  faultWithoutServer(
    'A03',
    `a rotation of keys under load refuses no request, with ${workers} process${workers > 1 ? 'es' : ''}`,
    async () => {
      const path = join(temp, `keys-${workers}.json`);
      const first = await runKeys(path, 'create', 'service-a');
      await runKeys(path, 'create', 'service-b');
      await using server = await startServerProcess({
        MODELS_DIR: folder.path,
        API_KEYS_FILE: path,
        WORKERS: String(workers),
      });
      const clients = startClients(server, 4, first);
      const revokedMs: number[] = [];
      let old = first;
      let changes = 0;
      for (let k = 0; k < 3; k += 1) {
        const next = await runKeys(path, 'create', 'service-a');
        changes += 1;
        await waitForLine(server, 'the file of API keys has changed', workers * changes);
        clients.use(next);
        // Requests in flight still use the old key.
        await new Promise((resolve) => setTimeout(resolve, 200));
        const entries = JSON.parse(await runKeys(path, 'list', '--json'));
        const started = performance.now();
        await runKeys(
          path,
          'revoke',
          'service-a',
          '--sha256',
          entries.find(({ id }: { id: string }) => id === 'service-a').sha256,
        );
        changes += 1;
        await timeUntil(server, old, [403, 429]);
        if (workers > 1) await waitForLine(server, 'the file of API keys has changed', workers * changes);
        revokedMs.push(performance.now() - started);
        old = next;
      }
      const { 200: ok = 0, ...others } = await clients.stop();
      expect(others, 'refused').toEqual({});
      expect(ok).toBeGreaterThan(100);
      expect(Math.max(...revokedMs), 'ms until a removed key fails').toBeLessThan(2_500);
      return `failed 0 of ${ok} over 3 rotations with ${workers} process${workers > 1 ? 'es' : ''}; a removed key fails after ${revokedMs.map((ms) => ms.toFixed(0)).join(', ')} ms${workers > 1 ? ' everywhere' : ''}`;
    },
    120_000,
  );
}

faultWithoutServer(
  'A03',
  'a key file that is corrupt, half-written or missing keeps the old keys, and is logged once',
  async () => {
    const path = join(temp, 'harmed.json');
    const key = await runKeys(path, 'create', 'service-a');
    const sound = readFileSync(path);
    await using server = await startServerProcess({ MODELS_DIR: folder.path, API_KEYS_FILE: path });
    const clients = startClients(server, 2, key);
    const problem = 'the file of API keys cannot be used';
    const faults: Record<string, () => void> = {
      'half of it': () => writeFileSync(path, sound.subarray(0, sound.length / 2)),
      nothing: () => writeFileSync(path, ''),
      junk: () => writeFileSync(path, Buffer.from([0xff, 0xfe, 0, 1])),
      'another form': () => writeFileSync(path, '{"keys": []}'),
      'a digest of upper case': () =>
        writeFileSync(
          path,
          sound.toString().replace(/[0-9a-f]{64}/, (it) => it.toUpperCase()),
        ),
      gone: () => rmSync(path),
      'a key in it': () => writeFileSync(path, sound.toString().replace(/[0-9a-f]{64}/, key)),
    };
    let inflicted = 0;
    for (const inflict of Object.values(faults)) {
      inflict();
      inflicted += 1;
      await waitForLine(server, problem, inflicted);
    }
    // Two more looks at the file must log nothing.
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    const lines = server.stdout.filter((line) => line.includes(problem));
    expect(lines.length).toBe(inflicted);
    writeFileSync(`${path}.new`, '[]');
    renameSync(`${path}.new`, path);
    await waitForLine(server, 'the file of API keys has changed');
    const { 200: ok = 0, 403: refused = 0, 429: limited = 0, ...others } = await clients.stop();
    expect(others).toEqual({});
    expect(await ask(server, key, new Agent())).toBeGreaterThanOrEqual(403);
    const log = server.stdout.join('\n');
    expect(log).not.toContain(key.slice(4, 20));
    expect(log.toLowerCase()).not.toContain(sha256(key));
    return `${inflicted} faults, ${lines.length} lines, ${ok} requests answered meanwhile; ${refused + limited} refused after all keys were removed`;
  },
  120_000,
);
