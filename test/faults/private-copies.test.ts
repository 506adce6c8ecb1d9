import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { ask, askTimed } from '../helpers/ask.js';
import { network } from '../helpers/onnx/company-models.js';
import { externalData, linearRegression } from '../helpers/onnx-models.js';
import { childrenOf } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { features } from './instruments/plain-registry.js';

const folder = createRegistryFolder();
const manifest = { task: 'regression', features } as const;
const isolated = { ...manifest, runtime: { executor: 'isolated' } } as const;
const weights = { 'w.bin': Buffer.from(new Float32Array([40]).buffer) };
folder.addVersion('inline', '1', { manifest, model: linearRegression([2], 1) });
folder.addVersion('inline-weights', '1', { manifest, model: externalData('w.bin'), files: weights });
folder.addVersion('small', '1', { manifest: isolated, model: linearRegression([2], 1) });
// Over 8 MiB, so the server does not keep its bytes in memory.
const large = network(2, 1_600, 1);
folder.addVersion('large', '1', { manifest: isolated, model: large });
folder.addVersion('weights', '1', { manifest: isolated, model: externalData('w.bin'), files: weights });
const withoutFile = ['inline', 'small', 'large'];
const withWeights = ['inline-weights', 'weights'];
const isolatedNames = ['small', 'large', 'weights'];

// A folder for these rows alone, so that anything left in it is theirs.
const base = mkdtempSync(join(tmpdir(), 'sardonyx-r14-'));
chmodSync(base, 0o755);
afterAll(() => {
  folder[Symbol.dispose]();
  rmSync(base, { recursive: true, force: true });
});
let temps = 0;
function makeTemp(): string {
  const path = join(base, String(temps++));
  mkdirSync(path);
  return path;
}

const environment = (temp: string) => ({
  MODELS_DIR: folder.path,
  TMPDIR: temp,
  CACHE: 'off',
  AUTH: 'off',
});
const killChildren = ({ child }: ServerProcess) => {
  const children = childrenOf(child.pid as number);
  for (const pid of children) process.kill(pid, 'SIGKILL');
  return children.length;
};
async function modelOf({ url }: ServerProcess, name: string) {
  const response = await fetch(`${url}/models/${name}`);
  return (await response.json()) as {
    readonly versions: readonly {
      readonly state: string;
      readonly fault?: string;
      readonly reason?: string;
    }[];
  };
}

faultWithoutServer(
  'R14',
  'a server whose copies are removed and whose runners are killed answers again within 2 s',
  async () => {
    const temp = makeTemp();
    await using server = await startServerProcess(environment(temp));
    let [asked, failed, killed, slowestMs] = [0, 0, 0, 0];
    for (let k = 0; k < 3; k += 1) {
      for (const name of readdirSync(temp)) rmSync(join(temp, name), { recursive: true });
      killed += killChildren(server);
      const since = performance.now();
      for (const name of isolatedNames) {
        while ((await askTimed(server.url, name, k)).code !== 'ok' && performance.now() - since < 10_000);
        slowestMs = Math.max(slowestMs, performance.now() - since);
      }
      await pause(Math.max(0, 2_000 - (performance.now() - since)));
      for (const name of isolatedNames) {
        asked += 1;
        if ((await askTimed(server.url, name, k)).code !== 'ok') failed += 1;
      }
    }
    const logged = server.stdout.filter((line) =>
      line.includes('private copy of a version was missing'),
    ).length;
    expect(failed).toBe(0);
    expect(killed).toBeGreaterThanOrEqual(9);
    expect(logged, 'removals of the one copy in the log').toBe(3);
    return `failed after 2 s ${failed} of ${asked}, answered again within ${slowestMs.toFixed(0)} ms, logged ${logged} of 3`;
  },
);

faultWithoutServer(
  'R14',
  'a copy that cannot be made again is reported with its reason, and the version answers once it can',
  async () => {
    const temp = makeTemp();
    await using server = await startServerProcess(environment(temp));
    const source = join(folder.path, 'weights/1/w.bin');
    renameSync(source, `${source}.away`);
    for (const name of readdirSync(temp)) rmSync(join(temp, name), { recursive: true });
    killChildren(server);
    await expect
      .poll(async () => (await modelOf(server, 'weights')).versions[0]?.fault ?? '', { timeout: 5_000 })
      .toContain('external weights w.bin cannot be opened (ENOENT)');
    expect((await askTimed(server.url, 'weights', 1)).code).toBe('executor_lost');
    expect(server.stdout.filter((line) => line.includes('it could not open the model'))).not.toEqual([]);
    expect((await askTimed(server.url, 'small', 1)).code, 'another model answers').toBe('ok');
    // A different file in its place is refused.
    writeFileSync(source, 'else');
    await expect
      .poll(async () => (await modelOf(server, 'weights')).versions[0]?.fault ?? '', { timeout: 15_000 })
      .toContain('metadata.json says');
    renameSync(`${source}.away`, source);
    const since = performance.now();
    await expect
      .poll(async () => (await askTimed(server.url, 'weights', 1)).code, { timeout: 15_000 })
      .toBe('ok');
    expect((await modelOf(server, 'weights')).versions[0]?.fault).toBeUndefined();
    return `the fault names the file; answers ${((performance.now() - since) / 1_000).toFixed(1)} s after the file is back`;
  },
);

/** Starts the server with no writable folder. Returns the reason for each version that does not answer. */
async function outcomesUnder(under: readonly string[], temp: string) {
  await using server = await startServerProcess(
    { ...environment(temp), PATH: process.env['PATH'] ?? '' },
    { under },
  );
  const reasons: Record<string, string | undefined> = {};
  for (const name of [...withoutFile, ...withWeights]) {
    const { code } = await askTimed(server.url, name, 1);
    const version = (await modelOf(server, name)).versions[0];
    reasons[name] = code === 'ok' ? undefined : `${version?.reason}`;
  }
  killChildren(server);
  for (const name of withoutFile) {
    await expect.poll(async () => (await askTimed(server.url, name, 2)).code, { timeout: 5_000 }).toBe('ok');
  }
  const inMemory = server.stdout.filter((line) => line.includes('a model is held in memory')).length;
  return { reasons, inMemory };
}

function expectReasons(reasons: Readonly<Record<string, string | undefined>>, code: RegExp): void {
  for (const name of withoutFile) expect(reasons[name], name).toBeUndefined();
  for (const name of withWeights) {
    expect(reasons[name], name).toMatch(code);
    expect(reasons[name], name).toContain('set TMPDIR to a ');
    expect(reasons[name], name).not.toMatch(/server's log|\/tmp/);
  }
}

const readOnly = [
  'unshare',
  ...['-rm', 'sh', '-c'],
  'mount --make-rprivate / && { mount -o remount,bind,ro / || mount -o remount,ro /; } 2>/dev/null; ! touch "$TMPDIR/probe" 2>/dev/null && exec "$@"',
  'sh',
];
const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0;
const isRoot = process.getuid?.() === 0;
const others = ['setpriv', '--reuid=65532', '--regid=65532', '--clear-groups'];
const canBecomeAnother = isRoot && spawnSync('setpriv', [...others.slice(1), 'true']).status === 0;

if (canMount) {
  faultWithoutServer(
    'R14',
    'a read-only root serves the versions that need no file, and the refusal of the others names TMPDIR',
    async () => {
      const { reasons, inMemory } = await outcomesUnder(readOnly, base);
      expectReasons(reasons, /cannot be written \(EROFS\)/);
      expect(inMemory, 'the large version, as the log says').toBe(1);
      const [command = '', ...more] = readOnly;
      const check = spawnSync(command, [...more, process.execPath, 'dist/cli.js', 'check', folder.path], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], TMPDIR: base },
      });
      expect(check.status).toBe(1);
      for (const name of withWeights) {
        expect(check.stdout).toMatch(new RegExp(`${name}/1 is refused: external weights .*set TMPDIR`));
      }
      return `served ${withoutFile.length} of ${withoutFile.length} versions without files, TMPDIR named for ${withWeights.length} of ${withWeights.length} with weights`;
    },
  );
} else
  test.skip('R14 a read-only root serves the versions that need no file: needs unshare', () => undefined);

if (canBecomeAnother) {
  faultWithoutServer(
    'R14',
    'a user without a writable folder gets the versions that need no file',
    async () => {
      chmodSync(folder.path, 0o755);
      const { reasons } = await outcomesUnder(others, makeTemp());
      expectReasons(reasons, /cannot be written \(EACCES\)/);
      return 'EACCES: as on a read-only root';
    },
  );
} else test.skip('R14 a user without a writable folder: needs root and setpriv', () => undefined);

faultWithoutServer('R14', 'a TMPDIR that does not exist serves the versions that need no file', async () => {
  const { reasons } = await outcomesUnder([], join(base, 'nowhere'));
  expectReasons(reasons, /cannot be written \(ENOENT\)/);
  return 'ENOENT: as on a read-only root';
});

faultWithoutServer(
  'R14',
  'copies of a server that was killed with its runners are removed when another process starts',
  async () => {
    const temp = makeTemp();
    const before = await startServerProcess(environment(temp));
    await using neighbour = await startServerProcess(environment(temp));
    const own = readdirSync(temp).filter((name) => name.includes(`.${before.child.pid}.`));
    const kept = readdirSync(temp).filter((name) => name.includes(`.${neighbour.child.pid}.`));
    expect([own.length, kept.length]).toEqual([1, 1]);
    // Foreign folders with similar names.
    for (const name of ['sardonyx-else', 'sardonyx-copy.1', `${own[0]}.more`]) mkdirSync(join(temp, name));
    // Kills all at the same moment, as the kernel ends a container, so that none can clean up.
    const pids = [before.child.pid as number, ...childrenOf(before.child.pid as number)];
    execFileSync('kill', ['-STOP', ...pids.map(String)]);
    execFileSync('kill', ['-KILL', ...pids.map(String)]);
    await before.ended;
    const left = readdirSync(temp).filter((name) => own.includes(name));
    expect(left, 'copies left by the killed server').toEqual(own);
    const env = { PATH: process.env['PATH'], TMPDIR: temp };
    const check = spawnSync(process.execPath, ['dist/cli.js', 'check', folder.path], {
      encoding: 'utf8',
      env,
    });
    expect(check.status, check.stdout).toBe(0);
    const after = readdirSync(temp);
    expect(after.sort()).toEqual([...kept, 'sardonyx-else', 'sardonyx-copy.1', `${own[0]}.more`].sort());
    expect((await askTimed(neighbour.url, 'weights', 3)).code).toBe('ok');
    return `folders left ${after.filter((name) => own.includes(name)).length} of ${own.length}, foreign folders removed 0 of 4`;
  },
);

for (const workers of ['1', '2']) {
  faultWithoutServer('R14', `a stopped server leaves no copy, workers ${workers}`, async () => {
    const temp = makeTemp();
    await using server = await startServerProcess({ ...environment(temp), WORKERS: workers });
    const copies = () => readdirSync(temp).filter((name) => name.startsWith('sardonyx-copy'));
    expect(copies().length).toBe(Number(workers));
    const ended = once(server.child, 'close');
    server.child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    expect(copies()).toEqual([]);
    return `copies left 0 of ${workers} (before the fix: all)`;
  });
}

faultWithoutServer('R14', 'a copy that was changed on disk is not given to the engine', async () => {
  const temp = makeTemp();
  await using server = await startServerProcess(environment(temp));
  const askWeights = () => ask(server.url, 'weights', { x: 2 });
  expect((await askWeights()).body.prediction).toBe(42);
  for (const name of readdirSync(temp)) {
    if (name.startsWith('sardonyx-copy')) writeFileSync(join(temp, name, 'w.bin'), Buffer.alloc(4));
  }
  for (const pid of childrenOf(server.child.pid as number)) process.kill(pid, 'SIGKILL');
  await pause(3_000);
  const { prediction } = (await askWeights()).body;
  expect(prediction).toBe(42);
  return `answered ${prediction} (before the fix: 2)`;
});
