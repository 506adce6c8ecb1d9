import { randomInt } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelInput, ModelSource } from '../../inference/runner/model-source.js';
import { copyPrefix } from './copy-name.js';

const maxInMemory = 8 * 1_048_576;

/** The bytes of a model, which each new child of its version gets. The caller must `release` them. */
export interface HeldBytes extends ModelSource {
  provide(): Promise<Extract<ModelInput, { bytes: Uint8Array }>>;
  /** The system's error because of which a large model is held in memory; undefined if it is not. */
  readonly fault: unknown;
  release(): Promise<void>;
}

/**
 * Holds the bytes of a model so that no other process can remove them: a small model in memory, a large one in a file
 * without a name, which the kernel frees when this process ends for any reason. If that file cannot be made, the large
 * model is held in memory too.
 */
export async function holdBytes(bytes: Uint8Array): Promise<HeldBytes> {
  let fault: unknown;
  if (bytes.length > maxInMemory) {
    try {
      return await holdInFile(bytes);
    } catch (error) {
      fault = error;
    }
  }
  let held: Uint8Array | undefined = bytes;
  return {
    fault,
    async provide() {
      if (held === undefined) throw new Error('the model has been released');
      return { bytes: held };
    },
    async release() {
      held = undefined;
    },
  };
}

async function holdInFile(bytes: Uint8Array): Promise<HeldBytes> {
  const file = await openWithoutName();
  try {
    await file.writeFile(bytes);
  } catch (error) {
    await file.close();
    throw error;
  }
  const size = bytes.length;
  return {
    fault: undefined,
    async provide() {
      const read = Buffer.allocUnsafeSlow(size);
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(read, at, Math.min(size - at, maxInMemory), at);
        if (bytesRead === 0) throw new Error('the file of the model has become shorter');
        at += bytesRead;
      }
      return { bytes: read };
    },
    release: () => file.close(),
  };
}

async function openWithoutName(): Promise<FileHandle> {
  const chance = randomInt(36 ** 6)
    .toString(36)
    .padStart(6, '0');
  const path = join(tmpdir(), `${copyPrefix()}${chance}`);
  const { O_RDWR, O_CREAT, O_EXCL } = constants;
  const file = await open(path, O_RDWR | O_CREAT | O_EXCL, 0o600);
  try {
    await rm(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
