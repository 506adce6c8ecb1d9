import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { CheckedRows, RowResult, RowsResult } from '../../predictor.js';
import { checkFeatureRows } from './feature-rows.js';
import { locateFailure } from './locate-failure.js';
import { readBody } from './read-body.js';
import { checkTensors } from './tensor-instances.js';
import { writePredictions, writeTensors } from './write-answer.js';

export interface V1Request extends CheckedRows {
  /** Rows of the client. Those of tensors are one request to the version. */
  readonly count: number;
  /** Returns the body of the answer as JSON text. */
  write(result: RowsResult): string | Promise<string>;
}

/** Checks a body against the version that answers it. Throws `invalid_input` with every problem. */
export function checkBody(body: unknown, loaded: LoadedVersion): V1Request {
  const read = readBody(body);
  if (loaded.task.tensors !== undefined) {
    const { requests, locate, count, rows } = checkTensors(read, loaded);
    return {
      requests,
      count: rows,
      explain: (failure) => locateFailure(failure, 0, locate),
      // All tensors are one request to the version.
      write: ({ rows }) => writeTensors((rows[0] as RowResult).answer, count, loaded),
    };
  }
  const { requests, locate } = checkFeatureRows(read, loaded);
  return {
    requests,
    count: requests.length,
    explain: (failure, row) => locateFailure(failure, row, locate),
    write: (result) => writePredictions(result, read, loaded.manifest.output?.names),
  };
}
