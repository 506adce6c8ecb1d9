import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// The version is in `package.json`: the server, /openapi.json, the image's labels and the package read it there. These
// forms stand in commands that people copy, and in files for Kubernetes and Compose.
const forms = /((?:\bsardonyx[-:]|\bVERSION=|\bSARDONYX_VERSION:-|\bnewTag: ))(\d+\.\d+\.\d+)/g;

/** The files that may contain the version of Sardonyx. */
export function listPlaces(): readonly string[] {
  const folders = ['docs', 'k8s', 'deploy'].filter((folder) => existsSync(folder));
  const inFolders = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:md|ya?ml)$/.test(name))
      .map((name) => join(folder, name)),
  );
  return ['README.md', 'docker-compose.yml', ...inFolders].filter((file) => existsSync(file)).sort();
}

/** The versions of Sardonyx in a text. */
export const findVersions = (text: string): readonly string[] =>
  [...text.matchAll(forms)].map(([, , version]) => version as string);

/** Replaces the version in all places. */
export function writeVersion(version: string): void {
  for (const file of listPlaces()) {
    const text = readFileSync(file, 'utf8');
    const changed = text.replaceAll(forms, `$1${version}`);
    if (changed !== text) writeFileSync(file, changed);
  }
}
