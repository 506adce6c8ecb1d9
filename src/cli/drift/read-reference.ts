import { readFile, stat } from 'node:fs/promises';
import { codeOf, RefusedError } from '../../errors.js';
import { parseReference, readColumnKinds } from '../../models/examples/reference.js';
import type { Manifest } from '../../models/manifest/manifest.js';
import { type DriftColumn, listColumns } from '../../monitoring/drift/drift-column.js';

/**
 * The columns of a reference file: a column with a sample is one of numbers, and one with counts is one of categories.
 * Throws `RefusedError`.
 */
export async function readReferenceFile(
  path: string,
): Promise<{ readonly columns: readonly DriftColumn[]; readonly rows: number }> {
  const stats = await stat(path).catch(() => undefined);
  // The open of a pipe without a writer would never return.
  if (stats !== undefined && !stats.isFile()) throw new RefusedError(`${path} is no regular file`);
  const bytes = await readFile(path).catch((cause: unknown) => {
    const code = codeOf(cause);
    throw new RefusedError(code === 'ENOENT' ? `${path} is not there` : `${path} cannot be read (${code})`, {
      cause,
    });
  });
  const known = describe(readColumnKinds(bytes));
  const reference = parseReference(bytes, known);
  return { columns: listColumns(known, reference).columns, rows: reference.rows };
}

function describe(kinds: ReadonlyMap<string, 'number' | 'string'>): Manifest {
  const features = [...kinds].map(([name, type]) => ({ name, type }));
  return { name: 'the model', version: '', task: 'classification', features, sha256: {} };
}
