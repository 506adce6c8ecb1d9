import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tools that generate clients from an OpenAPI document, and schemathesis, which tests a server against one. Pinned. */
const pythonPackages = [
  'openapi-python-client==0.29.1',
  'datamodel-code-generator==0.89.0',
  'schemathesis==4.32.5',
];
const nodePackages = ['openapi-typescript@7.13.0', '@hey-api/openapi-ts@0.95.0', 'typescript@5.9.3'];

/** The folder of the tools for Node.js (those for Python lie beside it), or why they could not be installed. */
export type GeneratorTools = { readonly folder: string } | { readonly missing: string };

/**
 * Installs the tools once, into a temporary folder whose name has a digest of their versions. The first call takes half
 * a minute, and needs the registries of PyPI and npm.
 */
export function installGenerators(): GeneratorTools {
  const digest = createHash('sha256')
    .update([...pythonPackages, ...nodePackages].join())
    .digest('hex');
  const folder = join(tmpdir(), `sardonyx-generators-${digest.slice(0, 12)}`);
  if (existsSync(folder)) return { folder };
  const draft = `${folder}.${process.pid}`;
  const run = (file: string, ...args: string[]) =>
    execFileSync(file, args, { cwd: draft, stdio: ['ignore', 'ignore', 'pipe'], timeout: 240_000 });
  try {
    mkdirSync(draft);
    writeFileSync(join(draft, 'package.json'), '{"private":true}');
    // A virtual environment stores its own path, so it is created in its final place.
    run('python3', '-m', 'venv', `${folder}.python`);
    run(`${folder}.python/bin/pip`, 'install', '--quiet', ...pythonPackages);
    run('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', ...nodePackages);
    renameSync(draft, folder);
    return { folder };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    rmSync(`${folder}.python`, { recursive: true, force: true });
    return {
      missing: `needs Python 3 with venv, and the registries of PyPI and npm (${String(error).split('\n', 1)[0]})`,
    };
  }
}

export const pythonTool = (folder: string, name: string) => `${folder}.python/bin/${name}`;
export const nodeTool = (folder: string, name: string) => join(folder, 'node_modules/.bin', name);
