import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { Registry } from '../../src/models/registry/registry.js';
import { answerBody, loadVersion } from '../helpers/one-version.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { soundBody, soundParts, soundPrediction } from './instruments/registry-under-fault.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
const first = { name: '1', path: folder.addVersion('sound', '1', soundParts) };
const second = { name: '2', path: folder.addVersion('sound', '2', soundParts) };
const listingOf = (version: typeof first) => ({
  models: [{ name: 'sound', versions: [version], aliases: { aliases: new Map() }, isReadable: true }],
  aliases: { aliases: new Map() },
  skipped: [],
});

const tries = 100;
const rowsATry = 64;

faultWithoutServer('E02', 'a version that is swapped or closed answers its queued runs first', async () => {
  let rejected = 0;
  let wrong = 0;
  let registry = new Registry({ load: loadVersion });
  await registry.apply(listingOf(first));
  const ask = async () => {
    const loaded = registry.lease('sound');
    try {
      const { fieldsJson: members } = await answerBody(loaded, soundBody);
      if (members !== `"prediction":${soundPrediction}`) wrong += 1;
    } catch {
      rejected += 1;
    } finally {
      loaded.release();
    }
  };
  for (let k = 0; k < tries; k += 1) {
    const asking = Array.from({ length: rowsATry }, ask);
    if (k % 2 === 0) {
      // The runs are queued for the end of this turn of the event loop: the session is retired before any lease ends.
      registry.close();
      registry = new Registry({ load: loadVersion });
      await registry.apply(listingOf(first));
    } else {
      const applying = registry.apply(listingOf(k % 4 === 1 ? second : first));
      asking.push(...Array.from({ length: rowsATry }, ask));
      await applying;
    }
    await Promise.all(asking);
  }
  registry.close();
  expect([rejected, wrong]).toEqual([0, 0]);
  return `rejected runs ${rejected}, wrong answers ${wrong} of ${1.5 * tries * rowsATry} in ${tries} swaps and closes`;
});

const stops = 20;
const clients = 16;

/**
 * Sends requests until the server refuses connections, or until `isOver`. A request without an answer counts as cut:
 * its connection was not yet accepted when the listener closed, or was closed as idle at that moment.
 */
async function load({ port }: ServerProcess, isOver: () => boolean) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const counts = { answered: 0, other: 0, cut: 0 };
  const headers = { 'content-type': 'application/json' };
  const ask = () =>
    new Promise<boolean>((resolve) => {
      const options = { agent, port, method: 'POST', path: '/models/sound/predict', headers };
      const sent = request(options, (response) => {
        response.resume();
        response.on('end', () => {
          counts[response.statusCode === 200 ? 'answered' : 'other'] += 1;
          resolve(true);
        });
        response.on('error', () => resolve(false));
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNREFUSED') counts.cut += 1;
        resolve(false);
      });
      sent.end(JSON.stringify(soundBody));
    });
  const client = async () => {
    while (!isOver() && (await ask()));
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return counts;
}

async function stopUnderLoad(k: number, isGentle: boolean) {
  const delay = isGentle ? '100' : '0';
  await using server = await startServerProcess({
    MODELS_DIR: folder.path,
    DOCS: 'off',
    SHUTDOWN_DELAY_MS: delay,
  });
  let isOver = false;
  const loading = load(server, () => isOver);
  await pause(50 + 5 * k);
  server.child.kill('SIGTERM');
  isOver = isGentle;
  const { code, signal } = await server.ended;
  return { ...(await loading), end: String(code ?? signal) };
}

faultWithoutServer(
  'E02',
  'a server that is stopped under full load exits with 0',
  async () => {
    const ends: string[] = [];
    const sums = { answered: 0, other: 0, cutGently: 0, cut: 0 };
    for (let k = 0; k < stops; k += 1) {
      // In every second try the clients stop at once, as behind a proxy that watches readiness: then none is cut.
      const isGentle = k % 2 === 1;
      const stop = await stopUnderLoad(k, isGentle);
      ends.push(stop.end);
      sums.answered += stop.answered;
      sums.other += stop.other;
      sums[isGentle ? 'cutGently' : 'cut'] += stop.cut;
    }
    const aborts = ends.filter((end) => end !== '0').length;
    expect(ends).toEqual(ends.map(() => '0'));
    expect(sums.answered).toBeGreaterThan(stops * clients);
    expect([sums.other, sums.cutGently]).toEqual([0, 0]);
    return `exits 134: ${aborts} of ${stops} stops, rejected runs ${sums.other} of ${sums.answered}; cut connections 0 if the clients stop, ${sums.cut} if they do not`;
  },
  120_000,
);
