import { codeOf, RefusedError } from '../../errors.js';

const fullCodes = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** Why external weights have no private copy, and which variable mends that. `bytes` is what a copy takes. */
export function toCopyRefusal(cause: unknown, bytes: number): RefusedError {
  const code = codeOf(cause);
  const size = `${Math.ceil(bytes / 1_048_576).toLocaleString('en')} MiB`;
  const need = `external weights need a private copy of ${size}`;
  const text = fullCodes.includes(code)
    ? `${need}, and the folder for temporary files has no room for it (${code}): set TMPDIR to a folder that has, or make room`
    : `${need}, and the folder for temporary files cannot be written (${code}): set TMPDIR to a folder that can be, such as a mounted volume`;
  return new RefusedError(text, { cause });
}
