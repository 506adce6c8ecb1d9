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
const partOf = (file: string) =>
  file.includes('/') ? (file.split('/')[0] as string) : file.replace(/\.ts$/, '');

/** What each part may call; a part that is not named here may call nothing of ours. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  main: ['process', 'stop-signals'],
  healthcheck: ['config', 'env-file', 'errors'],
  process: ['access', 'banner', 'config', 'env-file', 'errors', 'log', 'server', 'workers'],
  'env-file': ['config'],
  banner: ['config', 'models'],
  cli: [
    'access',
    'cli',
    'config',
    'errors',
    'inference',
    'models',
    'predictions',
    'messages',
    'nearest-names',
    'predictor',
    'process',
    'stop-signals',
    'proposal',
    'version',
    'window',
  ],
  server: ['config', 'plugins', 'protocols', 'routes', 'schemas', 'version'],
  access: ['config', 'errors', 'limits', 'messages', 'models', 'watched-file', 'window'],
  'watched-file': ['models'],
  limits: ['redis'],
  log: ['messages'],
  tls: ['config', 'errors', 'watched-file'],
  cache: ['errors', 'redis'],
  proposal: ['file-owner', 'inference', 'models'],
  plugins: [
    'access',
    'addresses',
    'cache',
    'config',
    'errors',
    'limits',
    'log',
    'messages',
    'models',
    'monitoring',
    'origins',
    'predictions',
    'predictor',
    'redis',
    'schemas',
    'tls',
    'watched-file',
    'window',
    'workers',
  ],
  routes: ['errors', 'models', 'prediction-headers', 'schemas'],
  protocols: ['errors', 'messages', 'models', 'prediction-headers', 'schemas'],
  'prediction-headers': ['errors'],
  schemas: ['errors', 'models'],
  workers: ['config', 'log', 'monitoring'],
  monitoring: ['inference', 'models', 'predictions', 'version'],
  predictor: ['cache', 'errors', 'models', 'predictions'],
  predictions: ['errors'],
  models: ['file-owner', 'errors', 'inference', 'messages', 'nearest-names'],
  inference: ['errors', 'messages'],
  config: ['messages', 'nearest-names', 'origins', 'addresses', 'window'],
};

describe('the parts of src', () => {
  test('call each other only along the arrows', () => {
    const wrong = imports
      .filter(({ from, to, isType }) => !isType && sources.has(to) && partOf(from) !== partOf(to))
      // Errors are everybody's.
      .filter(({ from, to }) => to !== 'errors.ts' && !arrows[partOf(from)]?.includes(partOf(to)))
      .map(({ from, to }) => `${from} → ${to}`);
    expect(wrong).toEqual([]);
  });

  test('have no cycle', () => {
    const next = new Map(
      files.map((file) => [file, imports.filter((it) => it.from === file && !it.isType).map((it) => it.to)]),
    );
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        done.add(file);
        for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      }
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test.each([
    ['onnxruntime-node', ['inference/session.ts']],
    ['prom-client', ['monitoring/metrics.ts']],
    [
      'ioredis',
      [
        'redis/connection/client-options.ts',
        'redis/connection/cluster-connection.ts',
        'redis/connection/connection.ts',
        'redis/connection/server-connection.ts',
      ],
    ],
    ['lru-cache', ['cache/memory.ts']],
    ['node:cluster', ['workers/place.ts', 'workers/supervisor.ts']],
  ])('import %s nowhere else', (name, expected) => {
    const users = imports
      .filter(({ to }) => to === name || to.startsWith(`${name}/`))
      .map(({ from }) => from);
    expect([...new Set(users)]).toEqual(expected);
  });

  test('know nothing of HTTP below the plugins', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        [
          'access',
          'limits',
          'cache',
          'redis',
          'models',
          'inference',
          'monitoring',
          'predictor',
          'predictions',
          'workers',
        ].includes(partOf(from)) && /^(@?fastify|node:http)/.test(to),
    );
    expect(wrong).toEqual([]);
  });

  test('read the environment and signals at the entries of a process', () => {
    const users = (text: string) => files.filter((file) => sources.get(file)?.includes(text)).sort();
    expect(users('process.env')).toEqual([
      'cli.ts',
      'healthcheck.ts',
      // What a child process gets of it, and what the engine is told.
      'inference/host-process.ts',
      'inference/session.ts',
      'main.ts',
    ]);
    expect(users('process.on(')).toEqual([
      'inference/host.ts',
      'log/destination.ts',
      'process.ts',
      'stop-signals.ts',
      'workers/worker-link.ts',
    ]);
  });

  test('have one noun a file: none is over 200 lines, and none is called utils', () => {
    const long = files.filter(
      (file) => (sources.get(file) ?? '').split('\n').filter((line) => line.trim() !== '').length > 200,
    );
    expect(long).toEqual([]);
    expect(files.filter((file) => /utils|helpers|common|misc|index\.ts$/.test(file))).toEqual([]);
  });
});
