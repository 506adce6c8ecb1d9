import { readFile, stat } from 'node:fs/promises';
import { codeOf, RefusedError } from '../../errors.js';
import { parseReference, type Reference, readColumnKinds } from '../../models/examples/reference.js';
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
  const task = findTask(reference);
  return { columns: listColumns({ ...known, task }, reference).columns, rows: reference.rows };
}

function describe(kinds: ReadonlyMap<string, 'number' | 'string'>): Manifest {
  const features = [...kinds].map(([name, type]) => ({ name, type }));
  return { name: 'the model', version: '', task: 'classification', features, sha256: {} };
}

/** Only a regression with several values has outputs with names of their own. */
function findTask({ output = {} }: Reference): 'classification' | 'regression' {
  const isNamed = Object.keys(output).some((name) => name !== 'prediction' && name !== 'probability');
  return isNamed ? 'regression' : 'classification';
}
