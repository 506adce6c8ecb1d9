import { readRegularFile } from './regular-file.js';

export type FileContent =
  | { readonly bytes: Uint8Array; readonly problem?: never }
  | { readonly problem: string; readonly bytes?: never };

export interface WatchedFile {
  /** Reads the file now, without waiting for the next interval. */
  look(): Promise<void>;
  close(): void;
}

const maxBytes = 16 * 1_024 * 1_024;

/** Reads a small regular file. Never throws: an error becomes `problem`, which does not hold the path. */
export async function readContent(path: string): Promise<FileContent> {
  try {
    const bytes = await readRegularFile(path, 'the file', maxBytes);
    return bytes === undefined ? { problem: 'the file is not there' } : { bytes };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : 'the file cannot be read' };
  }
}

/**
 * Calls `onChange` each time that the content differs from the last one, at first from `known`. The file is read at
 * each interval, which costs 0.1 ms a second for a few kB: Kubernetes swaps a mounted secret by a symbolic link, which
 * causes no event, and `fs.watchFile` compares times and sizes, so that it can miss the second of two writes within one
 * tick of the disk's clock. The timer does not keep the process alive.
 */
export function watchFile(
  path: string,
  known: FileContent,
  onChange: (content: FileContent) => void,
  intervalMs: number,
): WatchedFile {
  let last = known;
  let reads = 0;
  let reading = Promise.resolve();
  let isClosed = false;
  const read = async (): Promise<void> => {
    const content = await readContent(path);
    reads -= 1;
    if (isClosed || isSame(content, last)) return;
    last = content;
    onChange(content);
  };
  const look = (): Promise<void> => {
    // A read that is under way may return the old content, so one more read waits. Further ones would find nothing new.
    if (reads < 2) {
      reads += 1;
      reading = reading.then(read);
    }
    return reading;
  };
  const timer = setInterval(() => {
    // On a disk that hangs, only one read is started.
    if (reads === 0) void look();
  }, intervalMs).unref();
  return {
    look,
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

function isSame(a: FileContent, b: FileContent): boolean {
  if (a.bytes === undefined || b.bytes === undefined) return a.problem === b.problem;
  return Buffer.compare(a.bytes, b.bytes) === 0;
}
