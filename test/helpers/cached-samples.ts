import { chmodSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { createRegistryFolder, type RegistryFolder } from './registry-folder.js';

/** The sample models with "cache": true: by default their answers are not cached, since their runs are so short. */
export function createCachedSamples(): RegistryFolder {
  const folder = createRegistryFolder();
  // A pod reads the folder as another user.
  chmodSync(folder.path, 0o755);
  cpSync('models', folder.path, { recursive: true });
  for (const file of readdirSync('models', { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('metadata.json')) continue;
    const manifest = JSON.parse(readFileSync(`models/${file}`, 'utf8'));
    folder.write(file, { ...manifest, runtime: { ...manifest.runtime, cache: true } });
  }
  return folder;
}
