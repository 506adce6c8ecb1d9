import { ServiceError } from '../errors.js';

/** The rows of a body, as the bytes of each, in order. */
export interface RowReader {
  /** Takes the next bytes of the body, and returns the rows that they complete. Throws `invalid_json`, `invalid_input`. */
  push(chunk: Buffer): readonly Buffer[];
  /** The body has ended: returns the rows that are left. Throws as `push` does. */
  end(): readonly Buffer[];
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
