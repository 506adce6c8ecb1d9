import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// `package.json` has the version. The server, /openapi.json, the image's labels and the package take it from there;
// these forms are what people copy, and what Kubernetes and Compose read.
const forms = /((?:\bsardonyx[-:]|\bVERSION=|\bSARDONYX_VERSION:-|\bnewTag: ))(\d+\.\d+\.\d+)/g;

/** The files that name a version of ours. */
export function listPlaces(): readonly string[] {
  const folders = ['docs', 'k8s', 'deploy'].filter((folder) => existsSync(folder));
  const inFolders = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:md|ya?ml)$/.test(name))
      .map((name) => join(folder, name)),
  );
  return ['README.md', 'docker-compose.yml', ...inFolders].filter((file) => existsSync(file)).sort();
}

/** The versions of ours that a text names. */
export const findVersions = (text: string): readonly string[] =>
  [...text.matchAll(forms)].map(([, , version]) => version as string);

/** Has each place name another version. */
export function writeVersion(version: string): void {
  for (const file of listPlaces()) {
    const text = readFileSync(file, 'utf8');
    const changed = text.replaceAll(forms, `$1${version}`);
    if (changed !== text) writeFileSync(file, changed);
  }
}
