import type { ErrorCode } from '../../errors.js';
import type { RowCounts } from '../../prediction-event.js';
import type { ChunkResults, ChunkWork } from '../queue/job-store.js';

/** What the process needs to load a version as the server does. */
export interface LoadLimits {
  readonly loadTimeoutMs: number;
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
}

/** A chunk, and the folder of its version. */
export interface ChunkTask extends Omit<ChunkWork, 'claim'> {
  readonly path: string;
}

/** From the server to the process. `begin` comes first, and once. */
export type JobProcessRequest =
  | { readonly kind: 'begin'; readonly limits: LoadLimits; readonly showsProblems: boolean }
  | { readonly kind: 'run'; readonly id: number; readonly task: ChunkTask }
  | { readonly kind: 'cancel'; readonly id: number };

export interface ChunkReply extends ChunkResults {
  readonly counts: RowCounts;
}

/** `alive` comes every `aliveEveryMs`. `unloadable`: this process cannot have the version, but the server has it. */
export type JobProcessReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'ran'; readonly id: number; readonly reply: ChunkReply }
  | { readonly kind: 'unloadable'; readonly id: number; readonly reason: string }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly detail: string };

export const aliveEveryMs = 2_000;
