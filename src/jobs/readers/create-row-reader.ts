import { ServiceError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { createCsvReader } from './csv-reader.js';
import { createInstancesReader } from './instances-reader.js';
import { createLineReader } from './line-reader.js';
import type { RowBounds, RowReader } from './row-reader.js';

/** `object` is `{"instances": [row, …]}`, and `lines` is newline-delimited JSON. */
export type RowFormat = 'object' | 'lines' | 'csv';

/** The reader of a body of rows for a version. Throws `unsupported_media_type` for CSV if the model takes tensors. */
export function createRowReader(
  format: RowFormat,
  bounds: RowBounds,
  { name, manifest }: LoadedVersion,
): RowReader {
  switch (format) {
    case 'object':
      return createInstancesReader(bounds);
    case 'lines':
      return createLineReader(bounds);
    case 'csv': {
      const { features } = manifest;
      if (features === undefined) {
        const detail = `${name} takes tensors, which CSV cannot hold: send application/json or application/x-ndjson.`;
        throw new ServiceError('unsupported_media_type', { detail });
      }
      return createCsvReader(bounds, { name, features, takesOthers: false });
    }
    default:
      return format satisfies never;
  }
}
