import { codeOf } from '../../errors.js';
import { DamagedJobError, GoneJobError } from '../queue/refusals.js';
import type { FileFault } from './messages.js';

/** What a message can hold of an error of the job's files; undefined for any other error. */
export function toFileFault(error: unknown): FileFault | undefined {
  if (error instanceof DamagedJobError) return { kind: 'damaged', message: error.message };
  if (error instanceof GoneJobError) return { kind: 'gone', message: error.message };
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  return { kind: 'system', message: error.message, code: codeOf(error), syscall: String(error.syscall) };
}

/** The error that `toFileFault` has described. */
export function toFileError({ kind, message, ...system }: FileFault): Error {
  if (kind === 'damaged') return new DamagedJobError(message);
  if (kind === 'gone') return new GoneJobError(message);
  return Object.assign(new Error(message), system);
}
