import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect } from 'vitest';
import { gatherByValue } from '../helpers/onnx/failing-models.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

// How much a client can make the server log: at level info, a flood of refusals has one line a second for each code.

const seconds = isFullSize ? 10 : 2;
let registry: ReturnType<typeof createRegistryFolder>;
beforeAll(() => {
  registry = createRegistryFolder();
  const manifest = { task: 'regression' as const, features: [{ name: 'a', type: 'number' as const }] };
  registry.addVersion('gather', '1', { manifest, model: gatherByValue() });
  registry.addVersion('sum', '1', { manifest, model: linearRegression([1]) });
  registry.addVersion('refused', '1', { manifest, model: Buffer.from('no model') });
});
afterAll(() => registry[Symbol.dispose]());

/** Repeats a request on 16 connections. Returns how often it was answered, and the codes of the answers. */
async function flood(port: number, method: string, path: string, body: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const codes = new Set<string>();
  let asked = 0;
  const until = performance.now() + seconds * 1_000;
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const headers = body === '' ? {} : { 'content-type': 'application/json' };
      const sent = request({ port, method, path, headers, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece) => {
          text += piece;
        });
        response.on('end', () => {
          codes.add(JSON.parse(text).code);
          asked += 1;
          resolve();
        });
      });
      sent.on('error', reject).end(body);
    });
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (performance.now() < until) await ask();
    }),
  );
  agent.destroy();
  return { asked, codes };
}

/** Repeats bytes that are not HTTP, each time on a new connection. */
async function floodWithJunk(port: number) {
  let asked = 0;
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end('no HTTP at all\r\n\r\n'));
      socket
        .resume()
        .on('error', () => undefined)
        .on('close', resolve);
    });
    asked += 1;
  }
  return { asked, codes: new Set(['invalid_request']) };
}

const row = '{"a":1}';
const floods: readonly [code: string, method: string, path: string, body: string][] = [
  ['run_failed', 'POST', '/models/gather/predict', '{"a":99}'],
  ['model_unavailable', 'POST', '/models/refused/predict', row],
  ['invalid_input', 'POST', '/models/sum/predict', '{"a":"x"}'],
  ['invalid_json', 'POST', '/models/sum/predict', '{'],
  ['model_not_found', 'POST', '/models/nope/predict', row],
  ['method_not_allowed', 'DELETE', '/models/sum/predict', ''],
  ['invalid_request', 'GET', '/%zz', ''],
];

faultWithoutServer(
  'A09',
  'repeated refused requests of one client are logged at most once a second',
  async () => {
    const figures: string[] = [];
    await using server = await startServerProcess({
      MODELS_DIR: registry.path,
      LOG_LEVEL: 'info',
      RATE_LIMIT_MAX: '0',
    });
    const run = async (code: string, how: () => Promise<{ asked: number; codes: Set<string> }>) => {
      const before = server.stdout.length;
      const { asked, codes } = await how();
      expect([...codes]).toEqual([code]);
      // Until then the lines of the server have been read.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const lines = server.stdout.slice(before);
      const logged = lines.map((line) => JSON.parse(line)).filter((line) => line.code === code);
      expect(logged.length, code).toBeGreaterThan(seconds);
      expect(logged.length, code).toBeLessThanOrEqual(20 + seconds + 1);
      const counted = logged.reduce((sum, { unlogged = 0 }) => sum + 1 + unlogged, 0);
      expect(counted).toBeGreaterThan(asked / 4);
      const kilobytes = lines.join('\n').length / 1_000 / seconds;
      expect(kilobytes, code).toBeLessThan(100);
      figures.push(`${code} ${kilobytes.toFixed(1)} kB/s of ${Math.round(asked / seconds)} requests/s`);
    };
    for (const [code, method, path, body] of floods) {
      await run(code, () => flood(server.port, method, path, body));
    }
    // Same code as the flood before, so its first unlimited lines are used up.
    const before = server.stdout.length;
    const { asked } = await floodWithJunk(server.port);
    expect(server.stdout.length - before).toBeLessThanOrEqual(seconds + 2);
    return `${figures.join(', ')}, not HTTP ${server.stdout.length - before} lines of ${asked}${sizeNote}`;
  },
  120_000,
);
