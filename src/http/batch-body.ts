import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { ServiceError } from '../errors.js';

/** The body of a batch, as a stream that has been unpacked. */
export interface BatchBody {
  /** Whether each line is a row; otherwise the body is one JSON object. */
  readonly isLines: boolean;
  readonly bytes: AsyncIterable<Buffer>;
}

export const batchTypes = ['application/json', 'application/x-ndjson'] as const;
const otherCharset = /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i;

/**
 * Opens the body of a batch. A reader that stops early leaves the connection open, so that an error can be answered.
 * Throws `unsupported_media_type`; the stream throws `invalid_request` for bytes that are no gzip.
 */
export function openBatchBody(request: IncomingMessage): BatchBody {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (otherCharset.test(type)) throw unsupported('The charset must be utf-8.');
  const isLines = type.toLowerCase().startsWith('application/x-ndjson');
  switch (encoding.toLowerCase()) {
    case 'identity':
      return { isLines, bytes: request.iterator({ destroyOnReturn: false }) };
    case 'gzip':
      return { isLines, bytes: unpack(request) };
    default:
      throw unsupported('The body may be compressed with gzip, and with nothing else.');
  }
}

async function* unpack(request: IncomingMessage): AsyncGenerator<Buffer> {
  const unpacked = request.pipe(createGunzip());
  // `pipe` passes no errors on: a client that leaves would never end the stream.
  const leave = (error: Error): void => void unpacked.destroy(error);
  request.once('error', leave);
  try {
    yield* unpacked.iterator({ destroyOnReturn: false });
  } catch (cause) {
    throw new ServiceError('invalid_request', { detail: 'The body is not valid gzip.', cause });
  } finally {
    request.off('error', leave).unpipe(unpacked);
    unpacked.destroy();
  }
}

function unsupported(detail: string): ServiceError {
  const headers = { 'accept-encoding': 'identity, gzip' };
  return new ServiceError('unsupported_media_type', { detail, headers });
}
