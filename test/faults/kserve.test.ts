import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { createRandom } from '../helpers/onnx/random.js';
import { linearRegression, wholeRemainder } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { fault } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { p99 } from './instruments/percentile.js';

const wide = Array.from({ length: 30 }, (_unused, k) => ({ name: `f${k}`, type: 'number' as const }));
const integer = (name: string) => ({ name, type: 'integer' as const, example: 7 });
const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
folder.addVersion('plain', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
  model: linearRegression([2], 1),
});
folder.addVersion('wide', '1', {
  manifest: { task: 'regression', features: wide },
  model: linearRegression(wide.map(() => 1)),
});
folder.addVersion('remainder', '1', {
  manifest: { task: 'regression', features: [integer('a'), integer('b')] },
  model: wholeRemainder(),
});
const options = {
  environment: { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain', RATE_LIMIT_MAX: '0' },
  golden: { path: '/v1/models/plain:predict', body: { instances: [20, 21] } },
  timeoutMs: 120_000,
};
const json = { 'content-type': 'application/json' };

async function ask(server: ServerProcess, model: string, body: string) {
  const started = performance.now();
  const init = { method: 'POST', headers: json, body };
  const response = await fetch(`${server.url}/v1/models/${model}:predict`, init);
  const text = await response.text();
  return { status: response.status, text, ms: performance.now() - started };
}

/** Texts that replace a part of a sound body. */
const replacements = [
  ...[
    'null',
    'true',
    '""',
    '"x"',
    '0',
    '-1',
    '1e999',
    '1e39',
    '[]',
    '{}',
    '[[]]',
    '[null]',
    '{"b64":"AA=="}',
  ],
  ...['{"x":1}', '{"__proto__":1}', '[1,2]', '[[1],[2,3]]', '"\\ud800"', '{"instances":[1]}', 'NaN', ''],
];
const sound = [
  ['plain', ['{"instances":[', '1', ',', '{"x":2}', ',', '[3]', ']}']],
  ['plain', ['{"inputs":{"x":[', '1', ',', '2', ']},"signature_name":', '"serving_default"', '}']],
  [
    'remainder',
    ['{"instances":[', '[7,3]', ',', '{"a":9,"b":4}', '],"parameters":', '{"probabilities":true}', '}'],
  ],
] as const;

fault(
  'V06',
  'randomly changed bodies of many rows are answered, or refused with one error',
  async ({ server }) => {
    const count = isFullSize ? 20_000 : 2_000;
    const random = createRandom(6);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const statuses: Record<string, number> = {};
    for (let k = 0; k < count; k += 1) {
      const [model, parts] = pick(sound);
      const body = parts.map((part) => (random() < 0.25 ? pick(replacements) : part)).join('');
      const { status, text } = await ask(server, model, body);
      statuses[status] = (statuses[status] ?? 0) + 1;
      const members = Object.keys(JSON.parse(text));
      const wanted = status === 200 ? [['predictions'], ['outputs']] : [['error']];
      expect(wanted, `${body}\n${text}`).toContainEqual(members);
    }
    expect(Object.keys(statuses), JSON.stringify(statuses)).toEqual(['200', '400']);
    return `5xx 0 of ${count} bodies: ${JSON.stringify(statuses)}${sizeNote}`;
  },
  options,
);

fault(
  'V05',
  'the maximum of rows and names blocks the thread for less than 100 ms',
  async ({ server }) => {
    const rows = (name: (row: number, k: number) => string) =>
      JSON.stringify({
        instances: Array.from({ length: 1_024 }, (_unused, row) =>
          Object.fromEntries(wide.map((_feature, k) => [name(row, k), k])),
        ),
      });
    const bodies = {
      sound: rows((_row, k) => `f${k}`),
      'no name twice': rows((row, k) => `n${row}_${k}`),
      'one row of them all': JSON.stringify({
        instances: [Object.fromEntries(Array.from({ length: 30_000 }, (_unused, k) => [`n${k}`, k]))],
      }),
    };
    const longest: Record<string, number> = {};
    for (const [name, body] of Object.entries(bodies)) {
      for (let k = 0; k < 10; k += 1) {
        const { status, ms } = await ask(server, 'wide', body);
        expect(status, name).toBe(name === 'sound' ? 200 : 400);
        longest[name] = Math.max(longest[name] ?? 0, Math.round(ms));
      }
    }
    return `ms until the answer, at most: ${JSON.stringify(longest)}`;
  },
  options,
);

/** Runs 8 clients with single rows and some clients with 1,024 rows a request. A refused client retries after 10 ms. */
async function askBoth(server: ServerProcess, largeClients: number) {
  const seconds = isFullSize ? 60 : 5;
  const large = JSON.stringify({ instances: Array.from({ length: 1_024 }, (_unused, k) => k) });
  const took: number[] = [];
  const counts = { single: 0, singleFailed: 0, large: 0, largeFailed: 0 };
  const until = performance.now() + seconds * 1_000;
  const client = async (isLarge: boolean): Promise<void> => {
    while (performance.now() < until) {
      const { status, ms } = await ask(server, 'plain', isLarge ? large : '{"instances":[1]}');
      counts[isLarge ? 'large' : 'single'] += 1;
      if (status !== 200) {
        counts[isLarge ? 'largeFailed' : 'singleFailed'] += 1;
        await pause(10);
      }
      if (!isLarge) took.push(ms);
    }
  };
  await Promise.all([
    ...Array.from({ length: largeClients }, () => client(true)),
    ...Array.from({ length: 8 }, () => client(false)),
  ]);
  const figure = `single rows failed ${counts.singleFailed} of ${counts.single}, p99 ${p99(took).toFixed(0)} ms; requests of 1,024 rows failed ${counts.largeFailed} of ${counts.large}`;
  expect(counts.large, figure).toBeGreaterThan(10);
  return { counts, figure: `${figure}${sizeNote}` };
}

fault(
  'O02',
  'requests with the maximum of rows fail no single row',
  async ({ server }) => {
    const { counts, figure } = await askBoth(server, 3);
    expect([counts.singleFailed, counts.largeFailed], figure).toEqual([0, 0]);
    return figure;
  },
  options,
);

fault(
  'O02',
  'requests with more rows than the queue holds fail fewer than a fifth of single rows',
  async ({ server, expectBlocked }) => {
    // Each turn of the event loop reads and checks the requests of all clients.
    expectBlocked();
    const { counts, figure } = await askBoth(server, 24);
    expect(counts.singleFailed / counts.single, figure).toBeLessThan(0.2);
    return figure;
  },
  options,
);

fault(
  'E09',
  'a row that ends its process fails its own request alone, and is not run a third time',
  async ({ server, expectBlocked }) => {
    // Starting a process takes processor time from the server.
    expectBlocked();
    const sum = (a: number, b: number) => ({ a, b });
    const neighbours = JSON.stringify({ instances: Array.from({ length: 50 }, (_unused, k) => sum(k, 3)) });
    const fatal = JSON.stringify({
      instances: Array.from({ length: 50 }, (_unused, k) => (k === 31 ? sum(-(2 ** 31), -1) : sum(k, 3))),
    });
    const statuses: number[] = [];
    const failed: number[] = [];
    for (let k = 0; k < 4; k += 1) {
      const asked = [
        ask(server, 'remainder', fatal),
        ...Array.from({ length: 5 }, () => ask(server, 'remainder', neighbours)),
      ];
      const [first, ...others] = await Promise.all(asked);
      statuses.push(first?.status ?? 0);
      failed.push(...others.map(({ status }) => status).filter((status) => status !== 200));
    }
    const ends = server.stdout.filter((line) =>
      line.includes('a request has ended the process of its version'),
    );
    const figure = `${statuses.join(', ')}; ends attributed to the row ${ends.length}; neighbours failed ${failed.length} of 20`;
    // If the first run was shared, its rows run again by themselves: then both ends belong to the first request.
    expect(statuses.join(), figure).toMatch(/^503,(503|500),500,500$/);
    expect(failed, figure).toEqual([]);
    expect(ends.length, figure).toBeLessThanOrEqual(2);
    const restarts = await readMetric(server.url, 'executor_restarts_total', 'model="remainder"');
    expect(restarts, figure).toBe(2);
    return `${figure}; processes ended ${restarts}`;
  },
  options,
);
