import { ServiceError } from '../../errors.js';

/** The JSON of a row in bytes, or the error of a row that has none. */
export type ReadRow = Buffer | ServiceError;

/** The rows of a body, in order. */
export interface RowReader {
  /**
   * Takes the next bytes of the body, and returns the rows that they complete. Throws what concerns the whole body:
   * `invalid_json`, `invalid_input`, `body_too_large`.
   */
  push(chunk: Buffer): readonly ReadRow[];
  /** The body has ended: returns the rows that are left. Throws as `push` does. */
  end(): readonly ReadRow[];
}

/** Bounds of one row, in bytes. */
export interface RowBounds {
  readonly maxRowBytes: number;
}

export function refuseJson(detail: string): ServiceError {
  return new ServiceError('invalid_json', { detail });
}

export function refuseLongRow(index: number, { maxRowBytes }: RowBounds): ServiceError {
  const detail = `Row ${index} has more than ${maxRowBytes} bytes.`;
  return new ServiceError('body_too_large', { detail });
}
