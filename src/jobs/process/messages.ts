import type { ErrorCode } from '../../errors.js';
import type { RowCounts } from '../../prediction-event.js';
import type { ChunkResults, ChunkWork, FilePart } from '../queue/job-store.js';

/** What the process needs to load a version as the server does. */
export interface LoadLimits {
  readonly loadTimeoutMs: number;
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
}

/**
 * A chunk, and the folder of its version. The process reads and writes the files of a job itself, and packs and unpacks
 * what Redis holds. If all bytes passed through the server, V8 would collect its whole heap for each chunk or two, and
 * single rows would wait 10 to 60 ms.
 */
export interface ChunkTask extends Omit<ChunkWork, 'claim' | 'rows'> {
  readonly path: string;
  readonly rows: Buffer | FilePart | { readonly packed: Buffer };
}

/** From the server to the process. `begin` comes first, and once. */
export type JobProcessRequest =
  | { readonly kind: 'begin'; readonly limits: LoadLimits; readonly showsProblems: boolean }
  | { readonly kind: 'run'; readonly id: number; readonly task: ChunkTask }
  | { readonly kind: 'cancel'; readonly id: number };

export interface ChunkReply extends ChunkResults {
  readonly counts: RowCounts;
}

/**
 * `alive` comes every `aliveEveryMs`. `unloadable`: this process cannot have the version, but the server has it.
 * `unstored`: the files of the job cannot be read or written.
 */
export type JobProcessReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'ran'; readonly id: number; readonly reply: ChunkReply }
  | { readonly kind: 'unloadable'; readonly id: number; readonly reason: string }
  | { readonly kind: 'unstored'; readonly id: number; readonly fault: FileFault }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly detail: string };

/** A `DamagedJobError`, a `GoneJobError`, or an error of the system with its code and its call. */
export type FileFault =
  | { readonly kind: 'damaged' | 'gone'; readonly message: string }
  | { readonly kind: 'system'; readonly message: string; readonly code: string; readonly syscall: string };

export const aliveEveryMs = 2_000;
