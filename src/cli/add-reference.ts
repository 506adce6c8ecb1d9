import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { listColumns } from '../monitoring/drift/drift-column.js';
import { minRows } from '../monitoring/drift/drift-report.js';

/** What to know about the reference of a new version. `earlier` has the folders of the other versions, the oldest first. */
export function describeReference(
  { manifest, reference, version }: LoadedVersion,
  earlier: readonly string[],
): { readonly fact?: string; readonly notes: readonly string[] } {
  if (reference !== undefined) {
    const { rows } = reference;
    const { columns } = listColumns(manifest, reference);
    const note = `the reference describes fewer than ${minRows} rows, with which drift is hardly found: profile more of the training data`;
    return {
      fact: `${rows.toLocaleString('en')} rows, ${columns.length} ${columns.length === 1 ? 'column' : 'columns'}`,
      notes: rows < minRows ? [note] : [],
    };
  }
  const before = earlier.findLast((folder) => existsSync(join(folder, 'reference.json')));
  if (before === undefined) return { notes: [] };
  return {
    notes: [
      `${before} has a reference.json, and ${version} has none: drift is not detected once ${version} answers (sardonyx profile makes one, --reference adds it)`,
    ],
  };
}
