import { ConfigError, messageOf } from '../errors.js';
import { type FileContent, readContent, watchFile } from '../files/watched-file.js';
import { KeyRing } from './key-ring.js';
import { parseKeyEntries, toApiKey } from './keys-file.js';

export interface KeySettings {
  readonly API_KEYS_FILE?: string;
  readonly API_KEYS?: string;
}

export interface KeyWatcher {
  onReload(count: number): void;
  /** The changed file cannot be used, so the previous keys stay valid. `problem` contains no key. */
  onBroken(problem: string): void;
}

export interface KeySource {
  readonly ring: KeyRing;
  readonly count: number;
  reload(): Promise<void>;
  close(): void;
}

const intervalMs = 1_000;

/** Reads the keys and watches their file. Throws `ConfigError` with one line if they cannot be read. */
export async function openKeys(settings: KeySettings, watcher: KeyWatcher): Promise<KeySource> {
  const { API_KEYS_FILE: path, API_KEYS: text = '' } = settings;
  if (path === undefined) {
    const ring = openRing('API_KEYS', { bytes: Buffer.from(text) });
    return { ...ring, reload: async () => undefined, close: () => undefined };
  }
  const content = await readContent(path);
  const { ring, count } = openRing(`API_KEYS_FILE: ${path}`, content);
  const onChange = (changed: FileContent): void => {
    try {
      const keys = readKeys(changed);
      ring.replace(keys);
      watcher.onReload(keys.length);
    } catch (error) {
      watcher.onBroken(messageOf(error));
    }
  };
  const file = watchFile(path, content, onChange, intervalMs);
  return { ring, count, reload: () => file.look(), close: () => file.close() };
}

function openRing(label: string, content: FileContent) {
  try {
    const keys = readKeys(content);
    return { ring: new KeyRing(keys), count: keys.length };
  } catch (cause) {
    throw new ConfigError([`${label}: ${messageOf(cause)}`]);
  }
}

function readKeys({ bytes, problem }: FileContent) {
  if (bytes === undefined) throw new Error(problem);
  return parseKeyEntries(bytes).map(toApiKey);
}
