import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { linearRegression } from '../helpers/onnx-models.js';
import { cpuMs } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { countDescriptors, openSocket, waitForDescriptors } from './instruments/clients.js';
import { fault } from './instruments/fault.js';
import { sendRaw } from './instruments/raw-http.js';

const modelCount = 40;
const featureCount = 30;

/** 40 models with 30 features each, with descriptions as people write them. */
const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
const features = Array.from({ length: featureCount }, (_, k) => ({
  name: `feature ${k}`,
  type: 'number' as const,
  minimum: 0,
  maximum: 100,
  description: `The feature number ${k}, as it was measured in training`,
  example: k,
}));
for (let k = 0; k < modelCount; k += 1) {
  folder.addVersion(`model-${k}`, '1', {
    manifest: { task: 'regression', features, description: `The model number ${k}` },
    model: linearRegression(features.map((_, index) => index)),
  });
}
const environment = { MODELS_DIR: folder.path };
const golden = {
  path: '/models/model-0/predict',
  body: Object.fromEntries(features.map(({ name, example }) => [name, example])),
};

const documents = ['/openapi.json', '/docs/json', '/docs/yaml', '/openapi.json?versions=all'];
const repeats = 100;

fault(
  'A09',
  'documents are built once for each change of models, not for each request',
  async ({ server }) => {
    const figures: string[] = [];
    for (const path of documents) {
      const first = await fetchText(server, path);
      const before = cpuMs(server.child.pid as number);
      for (let k = 0; k < repeats; k += 1) {
        const { status, digest } = await fetchText(server, path);
        expect([status, digest]).toEqual([200, first.digest]);
      }
      const each = (cpuMs(server.child.pid as number) - before) / repeats;
      expect(each, `ms of the processor for ${path}`).toBeLessThan(10);
      const known = await fetch(server.url + path, { headers: { 'if-none-match': first.etag } });
      expect([known.status, (await known.text()).length]).toEqual([304, 0]);
      figures.push(`${path} ${each.toFixed(2)} ms`);
    }
    return `processor time of a request with ${modelCount} models: ${figures.join(', ')}`;
  },
  { environment, golden },
);

fault(
  'A09',
  'others are answered while four connections request the manual as YAML without pause',
  async ({ server }) => {
    const end = performance.now() + 3_000;
    let asked = 0;
    const flood = Array.from({ length: 4 }, async () => {
      while (performance.now() < end) {
        await fetchText(server, '/docs/yaml');
        asked += 1;
      }
    });
    const times: number[] = [];
    while (performance.now() < end) {
      const started = performance.now();
      expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
      times.push(performance.now() - started);
      await pause(5);
    }
    await Promise.all(flood);
    const p50 = times.toSorted((a, b) => a - b)[times.length >> 1] as number;
    expect(asked).toBeGreaterThan(4);
    expect(p50).toBeLessThan(50);
    return `${asked} documents in 3 s, /health/live p50 ${p50.toFixed(1)} ms of ${times.length}`;
  },
  { environment, golden },
);

const targets = [
  '/docs/static/..%5cx',
  '/docs/static/%00',
  '/docs/static/..',
  '/docs/static/%2e%2e',
  '/docs/static/%2e%2e%2f%2e%2e%2fpackage.json',
  '/docs/static/../../package.json',
  '/docs/static/%',
  '/docs/static/%c0%ae',
  '/docs/static/',
  '/docs/static',
  '/docs/static//',
  '/docs/static/nope.js',
  '/docs/static/swagger-ui.css/',
  '/docs/static/swagger-ui.css%00.png',
  '/docs/static/csp.json',
  '/docs/static/.%5c.%5cindex.js',
  `/docs/static/${'x'.repeat(10_000)}`,
  `/docs/static/${'%2e%2e%2f'.repeat(500)}`,
  '/docs/%00',
  '/docs/..%5cjson',
  '/docs/*',
];

fault(
  'A09',
  'an address below the manual that is none of its files is refused, without a stack in the log',
  async ({ server }) => {
    let others = 0;
    for (const target of targets) {
      for (const method of ['GET', 'HEAD']) {
        const bytes = `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
        const { status, headers } = await sendRaw(server.port, bytes);
        if (![400, 404].includes(status)) others += 1;
        expect(headers.get('content-type'), target).toBe('application/problem+json; charset=utf-8');
      }
    }
    const stacks = server.stdout.filter((line) => line.includes('"stack"')).length;
    expect([others, stacks]).toEqual([0, 0]);
    return `statuses other than 400 and 404: ${others} of ${2 * targets.length}, lines with a stack ${stacks}`;
  },
);

fault(
  'A09',
  'pipelined requests for files of the manual, by clients that read nothing, open no files',
  async ({ server }) => {
    const clients = 20;
    await pause(300);
    const before = countDescriptors(server);
    const request = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(30);
    const sockets = await Promise.all(
      Array.from({ length: clients }, async () => {
        const socket = await openSocket(server.port);
        socket.pause();
        socket.write(request);
        return socket;
      }),
    );
    await pause(500);
    const opened = countDescriptors(server) - before - clients;
    for (const socket of sockets) socket.destroy();
    const left = await waitForDescriptors(server, before, 5_000);
    expect(opened, 'descriptors that are not connections').toBeLessThanOrEqual(0);
    expect(left).toBe(0);
    return `${clients} connections with 30 requests each: extra descriptors ${opened}, left afterwards ${left}`;
  },
);

async function fetchText(server: ServerProcess, path: string) {
  const response = await fetch(server.url + path);
  const digest = createHash('sha256')
    .update(await response.text())
    .digest('hex');
  return { status: response.status, digest, etag: response.headers.get('etag') ?? '' };
}
