import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/read-config.js';

const unit = readFileSync('deploy/systemd/sardonyx.service', 'utf8');
const settings = readFileSync('deploy/systemd/sardonyx.env', 'utf8');
const valueAt = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'sardonyx-unit-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the systemd unit', () => {
  test('has a TimeoutStopSec that is longer than the shutdown of the server', () => {
    // With the commented lines enabled.
    const config = readConfig(parseEnv(settings.replaceAll(/^#(?=[A-Z])/gm, '')));
    const longestMs = config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS + 2_000;
    expect(Number(valueAt('TimeoutStopSec')) * 1_000).toBeGreaterThan(longestMs);
    expect([config.SHUTDOWN_DELAY_MS, config.SHUTDOWN_TIMEOUT_MS]).toEqual([0, 10_000]);
  });

  test('has a settings file with the default address', () => {
    const bare = readConfig({});
    const { HOST, PORT } = readConfig(parseEnv(settings));
    expect({ HOST, PORT }).toEqual({ HOST: bare.HOST, PORT: bare.PORT });
  });

  test('has a folder for batch jobs, apart from the models, which systemd creates for the server alone', () => {
    expect(valueAt('StateDirectory')).toBe('sardonyx/jobs');
    expect(valueAt('StateDirectoryMode')).toBe('0700');
    expect(unit).toContain('\nEnvironment=STATE_DIR=/var/lib/sardonyx/jobs\n');
    expect(valueAt('Environment')).toBe('MODELS_DIR=/var/lib/sardonyx/models');
    expect(unit).not.toContain('ReadWritePaths');
  });

  test('names only files of the package', () => {
    const { files } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(files).toEqual(expect.arrayContaining(['deploy', 'dist', 'docs']));
    expect(valueAt('ExecStart')).toBe('/usr/bin/env node /opt/sardonyx/dist/cli.js serve');
    expect(valueAt('Documentation')).toBe('file:///opt/sardonyx/docs/systemd.md');
  });

  test.runIf(hasAnalyze)('passes systemd-analyze verify', () => {
    const file = join(folder, 'sardonyx.service');
    writeFileSync(file, unit);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
      encoding: 'utf8',
    });
    expect(stdout + stderr).toBe('');
    expect(status).toBe(0);
  });

  test.runIf(hasAnalyze)('has the exposure level of docs/systemd.md', () => {
    const args = ['security', '--offline=yes', '--no-pager', 'deploy/systemd/sardonyx.service'];
    const { stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    const score = /Overall exposure level for sardonyx\.service: ([\d.]+)/.exec(stdout)?.[1];
    // systemd before 250 has no --offline.
    if (score === undefined) return;
    expect(Number(score)).toBeLessThanOrEqual(1.4);
    expect(readFileSync('docs/systemd.md', 'utf8')).toContain(`exposure level of ${score}`);
  });
});
