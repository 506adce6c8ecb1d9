import { readRegularFile } from './regular-file.js';

/** What a file holds, or why that cannot be told. */
export type FileContent =
  | { readonly bytes: Uint8Array; readonly problem?: never }
  | { readonly problem: string; readonly bytes?: never };

export interface WatchedFile {
  /** Looks at the file now, and not only at the next interval. */
  look(): Promise<void>;
  /** From then on nothing is told any more. */
  close(): void;
}

const maxBytes = 16 * 1_024 * 1_024;

/** Reads a small file that is no pipe or device. Never throws: what is wrong is its problem, without its name. */
export async function readContent(path: string): Promise<FileContent> {
  try {
    const bytes = await readRegularFile(path, 'the file', maxBytes);
    return bytes === undefined ? { problem: 'the file is not there' } : { bytes };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : 'the file cannot be read' };
  }
}

/**
 * Tells what a file holds each time that it is another than before, beginning with what is `known` of it. The file is
 * read at each interval: a mounted secret of Kubernetes is swapped by a symbolic link, of which no event comes; and
 * `fs.watchFile`, which compares times and sizes, can miss the second of two writes within a tick of the disk's clock.
 * A few kB cost 0.1 ms a second. It holds no process up.
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
    // What is being read may be the file from before; more than one that waits says nothing new.
    if (reads < 2) {
      reads += 1;
      reading = reading.then(read);
    }
    return reading;
  };
  const timer = setInterval(() => {
    // A disk that hangs is asked once.
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
