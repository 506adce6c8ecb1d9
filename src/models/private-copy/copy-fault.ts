import { codeOf, RefusedError } from '../../errors.js';

const fullCodes = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** Explains why external weights cannot be copied, and names TMPDIR. `bytes` is the size of the copy. */
export function toCopyRefusal(cause: unknown, bytes: number): RefusedError {
  const code = codeOf(cause);
  const size = `${Math.ceil(bytes / 1_048_576).toLocaleString('en')} MiB`;
  const need = `external weights need a private copy of ${size}`;
  const text = fullCodes.includes(code)
    ? `${need}, and the folder for temporary files has no room for it (${code}): set TMPDIR to a folder with more room, or free some`
    : `${need}, and the folder for temporary files cannot be written (${code}): set TMPDIR to a writable folder, such as a mounted volume`;
  return new RefusedError(text, { cause });
}
