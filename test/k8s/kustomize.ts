import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findOnPath } from '../helpers/programs.js';
import type { KubeObject } from './objects.js';

/** The command that builds a kustomize folder, or why there is none. */
export type Kustomize =
  | { readonly command: readonly string[]; readonly missing?: never }
  | { readonly missing: string };

/** Upgraded by hand, so that runs are repeatable. Newer versions need a newer Go than some machines have. */
const goModule = 'sigs.k8s.io/kustomize/kustomize/v5@v5.7.1';

/**
 * Returns `kubectl kustomize` if kubectl is on the PATH, else kustomize itself, which Go builds once into the temp
 * folder: that takes a minute and the Go module proxy. Both must be kustomize 5, since 4 reads components differently.
 */
export function provideKustomize(): Kustomize {
  const kubectl = findKubectl();
  if (kubectl !== undefined) return { command: kubectl };
  const kustomize = findOnPath(['kustomize']);
  if (kustomize && /v5/.test(textOf(kustomize, 'version'))) return { command: [kustomize, 'build'] };
  return buildKustomize();
}

/** `kubectl kustomize`, if it is kustomize 5. */
export function findKubectl(): readonly string[] | undefined {
  const path = findOnPath(['kubectl']);
  const has5 = path && /Kustomize Version: v5/.test(textOf(path, 'version', '--client'));
  return has5 ? [path, 'kustomize'] : undefined;
}

/** The kustomize that Go builds: most kubectl contain another version. */
export function buildKustomize(): Kustomize {
  const folder = join(tmpdir(), `sardonyx-kustomize-${goModule.split('@')[1]}`);
  const command = [join(folder, 'kustomize'), 'build'];
  if (existsSync(folder)) return { command };
  const draft = `${folder}.${process.pid}`;
  try {
    mkdirSync(draft);
    execFileSync('go', ['install', goModule], {
      env: { ...process.env, GOBIN: draft },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
    });
    renameSync(draft, folder);
    return { command };
  } catch (error) {
    // Another test file has built it meanwhile.
    if (existsSync(folder)) return { command };
    const reason = String(error).split('\n', 1)[0];
    return { missing: `needs kubectl with kustomize 5, or Go and the Go module proxy (${reason})` };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const textOf = (file: string, ...args: string[]) => spawnSync(file, args, { encoding: 'utf8' }).stdout ?? '';

/** Builds a kustomize folder and returns the YAML. Throws the error text of kustomize. */
export function render(command: readonly string[], folder: string): string {
  const [file = '', ...args] = command;
  return execFileSync(file, [...args, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Builds the base with components and further lines, as in the overlay of a user. */
export function renderWith(command: readonly string[], components: readonly string[], more = ''): string {
  const overlay = mkdtempSync(join(tmpdir(), 'sardonyx-overlay-'));
  try {
    const pathOf = (path: string) => JSON.stringify(relative(overlay, resolve(path)));
    const lines = components.map((name) => `  - ${pathOf(`k8s/components/${name}`)}`);
    const text = `namespace: own\nresources:\n  - ${pathOf('k8s/base')}\ncomponents:\n${lines.join('\n')}\n${more}\n`;
    writeFileSync(join(overlay, 'kustomization.yaml'), text);
    return render(command, overlay);
  } finally {
    rmSync(overlay, { recursive: true });
  }
}

export function parseObjects(text: string): readonly KubeObject[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as KubeObject;
  });
}
