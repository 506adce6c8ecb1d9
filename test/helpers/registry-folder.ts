import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Manifest } from '../../src/models/manifest/manifest.js';

export interface VersionParts {
  /** The manifest without name, version and digests, which are computed; digests given here override those. */
  readonly manifest: Partial<Manifest> & Pick<Manifest, 'task'>;
  readonly model: Uint8Array;
  readonly golden?: unknown;
  readonly reference?: unknown;
  /** External weights and other files of the folder, by path. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
  /** The `files` that get no digest in the manifest. */
  readonly undigested?: readonly string[];
}

export interface RegistryFolder {
  readonly path: string;
  /** Writes a whole version and returns its folder. */
  addVersion(model: string, version: string, parts: VersionParts): string;
  /** Writes a file below the registry: a string unchanged, any other value as JSON. */
  write(path: string, content: unknown): string;
  [Symbol.dispose](): void;
}

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

/** A temporary registry for one test. */
export function createRegistryFolder(): RegistryFolder {
  const path = mkdtempSync(join(tmpdir(), 'sardonyx-test-'));
  const write = (name: string, content: unknown): string => {
    const target = join(path, name);
    mkdirSync(dirname(target), { recursive: true });
    const isRaw = typeof content === 'string' || content instanceof Uint8Array;
    writeFileSync(target, isRaw ? content : JSON.stringify(content));
    return target;
  };
  return {
    path,
    write,
    addVersion(model, version, parts) {
      const folder = `${model}/${version}`;
      const files: Record<string, Uint8Array | string> = {
        'model.onnx': parts.model,
        ...(parts.golden !== undefined && { 'golden.json': JSON.stringify(parts.golden) }),
        ...(parts.reference !== undefined && { 'reference.json': JSON.stringify(parts.reference) }),
        ...parts.files,
      };
      const digests: Record<string, string> = {};
      for (const [name, content] of Object.entries(files)) {
        write(`${folder}/${name}`, content);
        if (!parts.undigested?.includes(name)) digests[name] = sha256(content);
      }
      const { sha256: given, ...manifest } = parts.manifest;
      write(`${folder}/metadata.json`, {
        name: model,
        version,
        ...manifest,
        sha256: { ...digests, ...given },
      });
      return join(path, folder);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
