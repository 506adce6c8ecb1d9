import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { ServiceError } from '../../errors.js';

/** The body of a batch, as a stream that has been unpacked. */
export interface BatchBody {
  readonly format: RowFormat;
  readonly bytes: AsyncIterable<Buffer>;
}

const formats = {
  'application/json': 'object',
  'application/x-ndjson': 'lines',
  'text/csv': 'csv',
} as const;

/** How the rows of a body are written: one JSON object, a row in each line, or CSV with a header. */
type RowFormat = (typeof formats)[keyof typeof formats];

export const batchTypes = Object.keys(formats) as readonly (keyof typeof formats)[];
const noHeader = /;\s*header\s*=\s*"?absent\b/i;
const otherCharset = /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i;

/**
 * Opens the body of a batch. A reader that stops early leaves the connection open, so that an error can be answered.
 * Throws `unsupported_media_type`; the stream throws `invalid_request` for bytes that are no gzip.
 */
export function openBatchBody(request: IncomingMessage): BatchBody {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (otherCharset.test(type)) throw unsupported('The charset must be utf-8.');
  const name = batchTypes.find((it) => type.toLowerCase().startsWith(it)) ?? 'application/json';
  const format = formats[name];
  if (format === 'csv' && noHeader.test(type)) {
    throw unsupported('CSV needs a header: the first line has the names of the columns.');
  }
  switch (encoding.toLowerCase()) {
    case 'identity':
      return { format, bytes: request.iterator({ destroyOnReturn: false }) };
    case 'gzip':
      return { format, bytes: unpack(request) };
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

/** For a body of another type, or without one. */
export function refuseType(): ServiceError {
  return unsupported(`Send content-type: ${batchTypes.slice(0, -1).join(', ')} or ${batchTypes.at(-1)}.`);
}

function unsupported(detail: string): ServiceError {
  const headers = { 'accept-encoding': 'identity, gzip' };
  return new ServiceError('unsupported_media_type', { detail, headers });
}

/** The types of a body for the OpenAPI document. `object` is the schema of the JSON form; the others are texts. */
export function describeBatchBody(object: Readonly<Record<string, unknown>>) {
  const text = { type: 'string' };
  return Object.fromEntries(
    batchTypes.map((type) => [type, { schema: formats[type] === 'object' ? object : text }]),
  );
}
