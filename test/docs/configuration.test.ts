import { type StdioOptions, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { documents } from '../../docs/generate.js';
import { readConfig } from '../../src/config/read-config.js';
import { ConfigSchema } from '../../src/config/schema.js';

test.each(Object.entries(documents))('%s is what `npm run docs` makes', (path, write) => {
  expect(readFileSync(path, 'utf8')).toBe(write());
});

test('every variable has a description that ends as a sentence', () => {
  for (const [name, { description }] of Object.entries(ConfigSchema.properties)) {
    expect(description, name).toMatch(/\.$/);
  }
});

const uncommented = (readFileSync('.env.example', 'utf8').match(/^#[A-Z_]+=.*$/gm) ?? [])
  .map((line) => line.slice(1))
  .join('\n');

test('.env.example, uncommented, is the default configuration', () => {
  const environment = parseEnv(uncommented);
  const all = Object.keys(ConfigSchema.properties).filter((name) => name !== 'ENV_FILE');
  expect(Object.keys(environment).sort()).toEqual(all.sort());
  expect(readConfig(environment)).toEqual(readConfig({}));
});

const shells = ['sh', 'bash', 'dash'].filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0);

test.each(shells)('.env.example, uncommented, is the same to %s', (shell) => {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-env-'));
  try {
    const whole = `${readFileSync('.env.example', 'utf8')}\n${uncommented}\n`;
    writeFileSync(join(folder, '.env'), whole);
    const print = `"${process.execPath}" -p 'JSON.stringify(process.env)'`;
    // Where its input is a socket, as that of a child is, bash reads ~/.bashrc.
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
    const options = { cwd: folder, env: {}, encoding: 'utf8' as const, stdio };
    const { stdout, stderr } = spawnSync(shell, ['-c', `set -ae; . ./.env; ${print}`], options);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject(parseEnv(uncommented));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
