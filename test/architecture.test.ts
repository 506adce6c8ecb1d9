import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);
const sources = new Map(files.map((name) => [name, readFileSync(join('src', name), 'utf8')]));
const imports: readonly Import[] = files.flatMap((from) =>
  [
    ...(sources.get(from) ?? '').matchAll(/^(?:import|export)\s(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]/gm),
  ].map((found) => ({
    from,
    to: found[2]?.startsWith('.')
      ? relative('src', resolve('src', dirname(from), found[2])).replace(/\.js$/, '.ts')
      : (found[2] ?? ''),
    isType: found[1] !== undefined,
  })),
);
const folderOf = (file: string) => (file.includes('/') ? dirname(file) : file.replace(/\.ts$/, ''));
const topOf = (file: string) => folderOf(file).split('/')[0] as string;

/**
 * The folders that each folder may import, types included. A folder that is not listed imports only errors.ts. A file at
 * the root of src is listed by its own name.
 */
const arrows: Readonly<Record<string, readonly string[]>> = {
  main: ['process'],
  healthcheck: ['config'],
  process: ['auth', 'cluster', 'config', 'log', 'models/registry', 'app'],
  cluster: [
    'config',
    'log',
    'monitoring',
    'monitoring/feedback',
    'monitoring/traffic',
    'node-internals',
    'time',
  ],
  app: [
    'cluster',
    'config',
    'http',
    'http/body',
    'plugins',
    'plugins/limits',
    'plugins/monitoring',
    'protocols/kserve-v1',
    'routes',
    'routes/console',
    'routes/monitoring',
    'schemas/openapi',
    'tls',
    'version',
  ],
  cli: [
    'cli/batch',
    'cli/drift',
    'cli/keys',
    'cli/loading',
    'cli/profile',
    'cli/replay',
    'cli/terminal',
    'files',
    'inference/onnx',
    'low-priority',
    'models/binding',
    'models/examples',
    'models/manifest',
    'models/proposal',
    'models/registry',
    'monitoring/drift',
    'prediction-event',
    'predictor',
    'process',
    'text',
    'version',
  ],
  'cli/logs': ['cli/terminal', 'time'],
  'cli/profile': [
    'cli/batch',
    'cli/batch/input',
    'cli/batch/output',
    'cli/batch/plan',
    'cli/batch/rows',
    'cli/loading',
    'cli/terminal',
    'models/examples',
    'models/manifest',
    'models/registry',
    'models/tasks',
    'monitoring/drift',
  ],
  'cli/drift': [
    'cli/loading',
    'cli/logs',
    'cli/terminal',
    'models/examples',
    'models/manifest',
    'models/tasks',
    'monitoring/drift',
    'process',
    'schemas',
    'time',
  ],
  'cli/batch': [
    'cli/batch/input',
    'cli/batch/output',
    'cli/batch/plan',
    'cli/batch/rows',
    'cli/loading',
    'cli/terminal',
    'inference/batching',
    'jobs',
    'models/registry',
    'text',
  ],
  'cli/batch/input': [
    'cli/batch/plan',
    'cli/batch/rows',
    'cli/terminal',
    'jobs/readers',
    'models/registry',
    'text',
  ],
  'cli/batch/output': [
    'cli/batch/plan',
    'cli/batch/rows',
    'cli/terminal',
    'files',
    'models/registry',
    'models/tasks',
    'schemas',
    'text',
  ],
  'cli/batch/plan': ['cli/batch/rows', 'cli/loading', 'cli/terminal'],
  'cli/batch/rows': ['models/manifest', 'models/tasks', 'text'],
  'cli/keys': ['auth', 'cli/terminal', 'models/manifest', 'time'],
  'cli/replay': [
    'cli/batch',
    'cli/batch/rows',
    'cli/loading',
    'cli/logs',
    'cli/terminal',
    'models/registry',
    'models/tasks',
    'text',
  ],
  'cli/loading': ['cli/terminal', 'config', 'models/loading', 'models/registry', 'process'],
  'cli/terminal': ['text'],
  plugins: [
    'addresses',
    'auth',
    'cache',
    'cluster',
    'config',
    'http',
    'http/body',
    'jobs',
    'jobs/process',
    'jobs/queue',
    'log',
    'models/loading',
    'models/registry',
    'monitoring',
    'prediction-event',
    'predictor',
    'rate-limit',
    'redis',
    'redis/connection',
    'schemas',
    'text',
    'time',
  ],
  'plugins/limits': ['addresses', 'auth', 'config', 'plugins', 'rate-limit', 'time'],
  'plugins/monitoring': [
    'config',
    'log',
    'models/registry',
    'monitoring/drift',
    'monitoring/feedback',
    'monitoring/feedback/redis',
    'monitoring/prediction-log',
    'monitoring/traffic',
    'plugins',
    'prediction-event',
    'time',
  ],
  http: ['addresses', 'log', 'models/registry', 'node-internals', 'predictor', 'schemas', 'text'],
  'http/body': ['node-internals', 'text'],
  tls: ['config', 'files'],
  routes: [
    'http',
    'http/body',
    'jobs',
    'jobs/queue',
    'jobs/readers',
    'models/registry',
    'models/tasks',
    'routes/console',
    'routes/manual',
    'schemas',
  ],
  jobs: [
    'inference/batching',
    'jobs/files',
    'jobs/queue',
    'jobs/readers',
    'models/registry',
    'models/tasks',
    'prediction-event',
    'predictor',
    'redis/connection',
    'text',
    'rate-limit',
    'time',
  ],
  'jobs/bullmq': ['jobs/bullmq/blobs', 'jobs/bullmq/scripts', 'jobs/queue', 'redis/connection', 'time'],
  'jobs/bullmq/blobs': ['files', 'jobs/queue'],
  'jobs/bullmq/scripts': ['redis/connection'],
  'jobs/files': ['files', 'jobs/queue'],
  'jobs/process': [
    'inference/runner',
    'jobs',
    'jobs/files',
    'jobs/queue',
    'low-priority',
    'models/loading',
    'models/registry',
    'prediction-event',
    'schemas',
  ],
  'jobs/queue': ['text', 'time'],
  'jobs/readers': ['models/manifest', 'models/registry', 'text'],
  'routes/console': [
    'models/registry',
    'monitoring/feedback',
    'monitoring/traffic',
    'routes/manual',
    'schemas',
    'version',
  ],
  'routes/monitoring': ['config', 'models/registry', 'monitoring/feedback', 'schemas', 'text', 'time'],
  'routes/manual': ['models/registry', 'schemas/openapi', 'time'],
  'protocols/kserve-v1': ['http', 'models/registry', 'models/tasks', 'predictor', 'schemas', 'text'],
  schemas: [
    'inference/tensors',
    'jobs',
    'jobs/queue',
    'models/manifest',
    'models/registry',
    'monitoring/drift',
    'monitoring/feedback',
    'text',
    'time',
  ],
  'schemas/openapi': ['models/manifest', 'models/registry', 'models/tasks', 'schemas', 'time'],
  predictor: [
    'cache',
    'inference/batching',
    'models/registry',
    'models/tasks',
    'prediction-event',
    'prediction-request',
  ],
  'prediction-request': ['inference/batching'],
  tracing: ['config', 'errors', 'jobs/queue', 'prediction-event', 'prediction-request', 'text', 'version'],
  'prediction-event': [
    'cache',
    'inference/batching',
    'models/manifest',
    'models/tasks',
    'prediction-request',
  ],
  monitoring: ['inference/engine', 'jobs/queue', 'models/registry', 'prediction-event', 'time', 'version'],
  'monitoring/drift': [
    'models/examples',
    'models/manifest',
    'models/registry',
    'models/tasks',
    'monitoring',
    'monitoring/statistics',
    'prediction-event',
    'time',
  ],
  'monitoring/feedback': ['models/tasks', 'monitoring', 'prediction-event', 'text', 'time'],
  'monitoring/feedback/redis': ['monitoring/feedback', 'prediction-event', 'redis', 'time'],
  'monitoring/traffic': ['prediction-event'],
  'monitoring/prediction-log': [
    'log',
    'models/manifest',
    'models/tasks',
    'prediction-event',
    'redis',
    'text',
    'time',
  ],
  auth: ['config', 'files', 'models/manifest', 'models/registry', 'rate-limit', 'text', 'time'],
  'rate-limit': ['redis'],
  cache: ['inference/batching', 'models/tasks', 'redis', 'redis/connection'],
  redis: ['redis/connection', 'time'],
  'redis/connection': ['time'],
  'models/loading': [
    'files',
    'inference/analysis',
    'inference/batching',
    'inference/engine',
    'inference/onnx',
    'inference/runner',
    'models/binding',
    'models/examples',
    'models/manifest',
    'models/private-copy',
    'models/registry',
    'models/tasks',
    'models/tensors',
    'models/warm-up',
    'text',
    'time',
  ],
  'models/warm-up': [
    'inference/batching',
    'inference/engine',
    'inference/onnx',
    'inference/runner',
    'inference/tensors',
    'models/binding',
    'models/examples',
    'models/features',
    'models/manifest',
    'models/tasks',
    'models/tensors',
    'time',
  ],
  'models/proposal': [
    'files',
    'inference/analysis',
    'inference/onnx',
    'models/binding',
    'models/manifest',
    'models/registry',
    'text',
  ],
  'models/examples': [
    'inference/onnx',
    'inference/runner',
    'inference/tensors',
    'models/binding',
    'models/features',
    'models/manifest',
    'models/tasks',
    'text',
  ],
  'models/binding': [
    'inference/analysis',
    'inference/onnx',
    'inference/tensors',
    'models/features',
    'models/manifest',
    'models/tasks',
    'text',
  ],
  'models/features': [
    'inference/batching',
    'inference/engine',
    'inference/tensors',
    'models/manifest',
    'models/tasks',
    'text',
  ],
  'models/tensors': [
    'inference/analysis',
    'inference/batching',
    'inference/engine',
    'inference/onnx',
    'inference/tensors',
    'models/binding',
    'models/tasks',
    'text',
  ],
  'models/tasks': ['inference/batching', 'inference/engine', 'inference/tensors', 'text'],
  'models/private-copy': ['files', 'inference/onnx', 'inference/runner', 'models/manifest'],
  'models/registry': [
    'files',
    'inference/batching',
    'inference/engine',
    'models/examples',
    'models/manifest',
    'models/tasks',
    'text',
  ],
  'models/manifest': ['inference/tensors', 'text'],
  'inference/batching': ['inference/engine', 'inference/tensors'],
  'inference/runner': ['inference/engine', 'inference/tensors', 'time'],
  'inference/engine': ['inference/tensors'],
  'inference/analysis': ['inference/onnx', 'inference/protobuf', 'time'],
  'inference/onnx': ['inference/protobuf', 'text', 'time'],
  'inference/tensors': ['text'],
  config: ['addresses', 'text', 'time'],
  log: ['text'],
};

/** The cycles of a graph, each as its names in order. */
function findCycles(next: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) cycles.push([...path.slice(path.indexOf(name)), name].join(' → '));
    else if (!done.has(name)) {
      done.add(name);
      for (const to of next.get(name) ?? []) visit(to, [...path, name]);
    }
  };
  for (const name of next.keys()) visit(name, []);
  return cycles;
}

describe('the folders of src', () => {
  test('are all listed in docs/architecture.md, with one line each', () => {
    const text = readFileSync('docs/architecture.md', 'utf8');
    const tree = /```\nsrc\/\n([\s\S]*?)\n```/.exec(text)?.[1] ?? '';
    const parents: string[] = [];
    const listed = tree.split('\n').flatMap((line) => {
      const [, indent = '', names = ''] = /^( +)(\S+(?:, \S+)*)/.exec(line) ?? [];
      const depth = indent.length / 2;
      return names.split(', ').map((name) => {
        parents[depth] = name.replace(/\/$/, '');
        return [...parents.slice(1, depth), name].join('/');
      });
    });
    const folders = [...new Set(files.filter((file) => file.includes('/')).map(dirname))];
    const all = [...folders, ...folders.map(dirname)].filter((it) => it !== '.');
    const roots = files.filter((file) => !file.includes('/'));
    expect(listed.sort()).toEqual([...new Set([...all.map((it) => `${it}/`), ...roots])].sort());
  });

  test('import each other only as listed above', () => {
    const wrong = imports
      .filter(({ from, to }) => sources.has(to) && folderOf(from) !== folderOf(to))
      // Every folder may import errors.ts.
      .filter(({ from, to }) => to !== 'errors.ts' && !arrows[folderOf(from)]?.includes(folderOf(to)))
      .map(({ from, to }) => `${from} → ${to}`);
    expect([...new Set(wrong)]).toEqual([]);
  });

  test('have no unused entry in the list above, and no cycle', () => {
    const used = new Set(
      imports
        .filter(({ to }) => sources.has(to))
        .map(({ from, to }) => `${folderOf(from)} → ${folderOf(to)}`),
    );
    const unused = Object.entries(arrows).flatMap(([from, list]) =>
      list.map((to) => `${from} → ${to}`).filter((arrow) => !used.has(arrow)),
    );
    expect(unused).toEqual([]);
    expect(findCycles(new Map(Object.entries(arrows)))).toEqual([]);
  });

  test('have at most 15 files each', () => {
    const counts = new Map<string, number>();
    for (const file of readdirSync('src', { recursive: true, withFileTypes: true })) {
      if (file.isFile()) counts.set(file.parentPath, (counts.get(file.parentPath) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > 15)).toEqual([]);
  });

  test('have no import cycle of files', () => {
    const next = new Map(
      files.map((file) => [file, imports.filter((it) => it.from === file && !it.isType).map((it) => it.to)]),
    );
    expect(findCycles(next)).toEqual([]);
  });

  test.each([
    ['onnxruntime-node', ['inference/engine/session.ts']],
    ['prom-client', ['monitoring/exposition.ts', 'monitoring/metric-sums.ts', 'monitoring/metrics.ts']],
    [
      'ioredis',
      [
        'redis/connection/client-options.ts',
        'redis/connection/cluster-connection.ts',
        'redis/connection/connection.ts',
        'redis/connection/queue-client.ts',
        'redis/connection/server-connection.ts',
      ],
    ],
    ['bullmq', ['jobs/bullmq/bull-job-worker.ts', 'jobs/bullmq/chunk-queue.ts']],
    ['lru-cache', ['cache/memory-cache.ts', 'jobs/files/file-job-reader.ts']],
    [
      'hyparquet',
      [
        'cli/batch/input/parquet-input.ts',
        'cli/batch/input/parquet-values.ts',
        'cli/batch/output/parquet-output.ts',
        'cli/batch/rows/parquet-types.ts',
      ],
    ],
    ['node:cluster', ['cluster/supervisor.ts', 'cluster/worker-slot.ts']],
  ])('import %s only in one place', (name, expected) => {
    const users = imports
      .filter(({ to }) => to === name || to.startsWith(`${name}/`))
      .map(({ from }) => from);
    expect([...new Set(users)]).toEqual(expected);
  });

  test('do not import HTTP modules below the plugins', () => {
    const below = ['auth', 'rate-limit', 'cache', 'redis', 'models', 'inference', 'monitoring', 'predictor'];
    const wrong = imports.filter(
      ({ from, to }) =>
        [...below, 'prediction-event', 'cluster'].includes(topOf(from)) && /^(@?fastify|node:http)/.test(to),
    );
    expect(wrong).toEqual([]);
  });

  test('read the environment and signals only in the entry files of a process', () => {
    const users = (text: string) => files.filter((file) => sources.get(file)?.includes(text)).sort();
    expect(users('process.env')).toEqual([
      'cli.ts',
      'healthcheck.ts',
      // Settings for the engine, and the environment of child processes.
      'inference/engine/session.ts',
      'inference/runner/child-environment.ts',
      'main.ts',
    ]);
    expect(users('process.on(')).toEqual([
      'cluster/worker-link.ts',
      'inference/runner/main.ts',
      'jobs/process/main.ts',
      'log/destination.ts',
      'process/run-server.ts',
      'process/stop-signals.ts',
    ]);
  });

  test('reach into private parts of Node in one file', () => {
    const privateParts = /\._\w+|\.parser\b|\bonIncoming|'newconn'/;
    const users = files.filter((file) => privateParts.test(sources.get(file) ?? ''));
    expect(users).toEqual(['node-internals.ts']);
  });

  test('have no file over 200 lines, and none with a name such as utils', () => {
    const long = files.filter(
      (file) => (sources.get(file) ?? '').split('\n').filter((line) => line.trim() !== '').length > 200,
    );
    expect(long).toEqual([]);
    expect(files.filter((file) => /utils|helpers|common|misc|index\.ts$/.test(file))).toEqual([]);
  });
});
