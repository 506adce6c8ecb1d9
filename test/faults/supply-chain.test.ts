import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect } from 'vitest';
import { parse } from 'yaml';
import { writeManifests } from '../../scripts/release/stage.js';
import { faultWithoutServer } from './instruments/fault.js';
import { startNpmRegistry } from './instruments/npm-registry.js';
import { runNpm } from './instruments/run-npm.js';

/** package.json has `dependencies`, the lock file has `packages`. */
interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly packages: Record<string, object>;
}

const base = mkdtempSync(join(tmpdir(), 'sardonyx-p02-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const makeFolder = (name: string) => {
  const folder = join(base, name);
  mkdirSync(folder);
  return folder;
};
const integrityOf = (bytes: Uint8Array) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file: string, value: unknown) => writeFileSync(file, JSON.stringify(value, undefined, 2));

faultWithoutServer(
  'P02',
  'a lock file that differs from package.json installs nothing',
  async () => {
    const needs = (added: Record<string, string>) => (json: Manifest) =>
      Object.assign(json.dependencies, added);
    const changes: readonly (readonly [string, (json: Manifest) => void])[] = [
      ['package.json', needs({ 'lru-cache': '^10.0.0' })],
      ['package.json', needs({ semver: '^6.0.0' })],
      ['package.json', needs({ 'onnxruntime-node': '1.29.0' })],
      ['npm-shrinkwrap.json', ({ packages }) => Reflect.deleteProperty(packages, 'node_modules/pino')],
      [
        'npm-shrinkwrap.json',
        ({ packages }) => Object.assign(packages['node_modules/ioredis'] ?? {}, { version: '5.0.0' }),
      ],
    ];
    let missed = 0;
    for (const [k, [file, change]] of changes.entries()) {
      const folder = makeFolder(`drift-${k}`);
      writeManifests(folder);
      const json = readJson(join(folder, file));
      change(json);
      writeJson(join(folder, file), json);
      const { code, output } = await runNpm(folder, [
        'ci',
        '--omit=dev',
        '--ignore-scripts',
        '--prefer-offline',
      ]);
      if (code === 0 || !output.includes('in sync') || existsSync(join(folder, 'node_modules'))) missed += 1;
    }
    expect(missed).toBe(0);
    return `missed 0 of ${changes.length} drifts`;
  },
  120_000,
);

faultWithoutServer(
  'P02',
  'a tampered tarball is not installed',
  async () => {
    // A real package; the lock file has the digest of its original tarball.
    const name = 'fastify-plugin';
    const { version } = readJson(`node_modules/${name}/package.json`);
    const packed = makeFolder('packed');
    await runNpm(process.cwd(), [
      'pack',
      resolve('node_modules', name),
      '--ignore-scripts',
      '--pack-destination',
      packed,
    ]);
    const sound = readFileSync(join(packed, `${name}-${version}.tgz`));
    const flip = (at: number) => {
      const bytes = Buffer.from(sound);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    const other = join(base, 'other');
    cpSync(`node_modules/${name}`, other, { recursive: true });
    writeFileSync(join(other, 'plugin.js'), 'module.exports = () => process.exit(3);\n');
    await runNpm(process.cwd(), ['pack', other, '--ignore-scripts', '--pack-destination', packed]);
    const replaced = readFileSync(join(packed, `${name}-${version}.tgz`));
    const random = randomBytes(10);
    const forms = [
      ...Array.from(random, (_, k) => flip(Math.floor((sound.length * (k + 0.5)) / random.length))),
      sound.subarray(0, sound.length / 2),
      Buffer.concat([sound, Buffer.from([0])]),
      Buffer.alloc(0),
      replaced,
    ];
    const install = async (label: string, tarball: Uint8Array, integrity: string) => {
      const folder = makeFolder(`tampered-${label}`);
      const manifest = { name: 'victim', version: '1.0.0', dependencies: { [name]: version } };
      writeJson(join(folder, 'package.json'), manifest);
      const entry = { version, integrity: integrityOf(sound), license: 'MIT' };
      const packages = { '': manifest, [`node_modules/${name}`]: entry };
      writeJson(join(folder, 'package-lock.json'), { ...manifest, lockfileVersion: 3, packages });
      await using registry = await startNpmRegistry([{ name, version, integrity, tarball }]);
      const { code, output } = await runNpm(folder, ['ci', '--ignore-scripts', '--no-audit'], registry.url);
      expect(registry.requests, output).toContain(`GET /${name}`);
      return { code, output, isThere: existsSync(join(folder, 'node_modules', name, 'package.json')) };
    };
    expect(await install('intact', sound, integrityOf(sound))).toMatchObject({ code: 0, isThere: true });
    let missed = 0;
    for (const [k, tarball] of forms.entries()) {
      // Every second registry publishes the digest of the tampered tarball, as a compromised registry would.
      const { code, isThere } = await install(String(k), tarball, integrityOf(k % 2 === 0 ? tarball : sound));
      if (code === 0 || isThere) missed += 1;
    }
    expect(missed).toBe(0);
    return `missed 0 of ${forms.length} tarballs`;
  },
  180_000,
);

faultWithoutServer(
  'P02',
  'a package with a known vulnerability fails the audit of the workflow',
  async () => {
    const { jobs } = parse(readFileSync('.github/workflows/ci.yml', 'utf8'));
    const commands = jobs.packages.steps.map(({ run }: { run?: string }) => run);
    const [, ...args] = commands
      .find((run: string | undefined) => run?.startsWith('npm audit --omit=dev '))
      .split(' ');
    const name = 'minimist';
    const advisory = {
      id: 1,
      url: 'https://example.com/advisory',
      title: 'Prototype pollution',
      severity: 'critical',
      vulnerable_versions: '<0.2.4',
      cwe: [],
      cvss: { score: 9.8, vectorString: '' },
    };
    const tarball = Buffer.alloc(0);
    await using registry = await startNpmRegistry(
      [{ name, version: '0.0.8', integrity: integrityOf(tarball), tarball }],
      { [name]: [advisory] },
    );
    const audit = async (version?: string) => {
      const folder = makeFolder(`audit-${version}`);
      const manifest = readJson('package.json');
      const lock = readJson('package-lock.json');
      if (version !== undefined) {
        manifest.dependencies[name] = version;
        lock.packages[''].dependencies[name] = version;
        lock.packages[`node_modules/${name}`] = { version, integrity: integrityOf(tarball) };
      }
      writeJson(join(folder, 'package.json'), manifest);
      writeJson(join(folder, 'package-lock.json'), lock);
      return await runNpm(folder, args, registry.url);
    };
    expect(await audit()).toMatchObject({ code: 0 });
    expect(await audit('0.2.4')).toMatchObject({ code: 0 });
    const { code, output } = await audit('0.0.8');
    expect(code).toBe(1);
    expect(output).toContain(name);
    // A registry that does not answer must fail the audit too.
    const folder = join(base, 'audit-undefined');
    expect((await runNpm(folder, args, 'http://127.0.0.1:9')).code).not.toBe(0);
    return 'missed 0 of 1; a registry that does not answer fails the audit too';
  },
  120_000,
);
