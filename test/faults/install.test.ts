import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { createBom } from '../../scripts/release/bom.js';
import { findDifferences } from '../../scripts/release/bom-differences.js';
import { ask } from '../helpers/ask.js';
import { installRelease, releasePackage } from '../helpers/released-package.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { runNpm } from './instruments/run-npm.js';

const release = releasePackage();
afterAll(() => release[Symbol.dispose]());
const installed = join(release.folder, 'installed');
const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file: string, value: unknown) => writeFileSync(file, JSON.stringify(value, undefined, 2));

const sizeOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);

faultWithoutServer(
  'P02',
  'a release installs in another folder, offline and without scripts',
  async () => {
    installRelease(release.file, installed);
    rmSync(join(installed, 'node_modules'), { recursive: true });
    const started = performance.now();
    const { code, output } = await runNpm(installed, ['ci', '--omit=dev', '--ignore-scripts', '--offline']);
    const seconds = (performance.now() - started) / 1_000;
    expect([code, output]).toEqual([0, expect.stringContaining('added')]);
    // The script of onnxruntime-node would have downloaded these.
    const engine = join(installed, 'node_modules/onnxruntime-node/bin');
    expect(
      readdirSync(engine, { recursive: true }).filter((name) => /cuda|tensorrt/i.test(String(name))),
    ).toEqual([]);

    await using server = await startServerProcess({}, { under: ['env', `--chdir=${installed}`] });
    const loan = { age: 42, income: 51234.5, credit_score: 688 };
    expect((await ask(server.url, 'credit-risk', loan)).body).toMatchObject({ prediction: 1 });
    const megabytes = sizeOf(installed) / 1e6;
    return `package ${(statSync(release.file).size / 1e6).toFixed(2)} MB, installed ${megabytes.toFixed(0)} MB in ${seconds.toFixed(1)} s, offline`;
  },
  180_000,
);

faultWithoutServer(
  'P02',
  'a release installs as a dependency, with a command for npx',
  async () => {
    const folder = join(release.folder, 'dependent');
    mkdirSync(folder);
    writeJson(join(folder, 'package.json'), { name: 'dependent', version: '1.0.0', private: true });
    const args = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', release.file];
    expect((await runNpm(folder, args)).code).toBe(0);
    const { version } = readJson('package.json');
    const npx = (...more: string[]) =>
      spawnSync('npx', ['--no', '--', 'sardonyx', ...more], { cwd: folder, encoding: 'utf8' });
    expect(npx('--version').stdout).toContain(version);
    const models = join('node_modules', 'sardonyx', 'models');
    const row = '{"age": 42, "income": 51234.5, "credit_score": 688}';
    const predicted = npx('predict', 'credit-risk', row, '--models', models);
    expect(JSON.parse(predicted.stdout)).toMatchObject({ prediction: 1 });
    return 'npx sardonyx --version and predict answer';
  },
  180_000,
);

faultWithoutServer('P02', 'the bill of materials matches the installed packages', async () => {
  const bom = createBom();
  expect(findDifferences(bom, installed)).toEqual([]);
  const modules = join(installed, 'node_modules');
  const change = (file: string, by: (text: string) => string) => {
    const before = readFileSync(file);
    writeFileSync(file, by(before.toString('latin1')), 'latin1');
    const found = findDifferences(bom, installed);
    writeFileSync(file, before);
    return found.length;
  };
  const found = [
    change(join(modules, 'pino/package.json'), (text) => text.replace('"version": "', '"version": "9')),
    change(
      join(modules, 'onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node'),
      (text) => `${text}\0`,
    ),
  ];
  cpSync(join(modules, 'pino'), join(modules, 'planted'), { recursive: true });
  writeJson(join(modules, 'planted/package.json'), { name: 'planted', version: '1.0.0' });
  found.push(findDifferences(bom, installed).length);
  rmSync(join(modules, 'planted'), { recursive: true });
  rmSync(join(modules, 'ret'), { recursive: true });
  found.push(findDifferences(bom, installed).length);
  expect(found.filter((count) => count === 0)).toEqual([]);
  return `${bom.components.length} packages match; missed 0 of ${found.length} changes`;
});
