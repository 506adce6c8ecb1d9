import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { ChunkRows } from './job-store.js';
import { DamagedJobError } from './refusals.js';
import { holdRows } from './spool.js';

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** The first byte of packed bytes. */
const marks = { plain: 0x70, gzip: 0x7a } as const;
const minZipBytes = 512;
/** The fastest level: JSON rows shrink to a fifth, and more would cost the time of their predictions. */
const level = 1;
/** A chunk has a megabyte of rows, or one row; its results are within some tens. Redis may hold anything. */
const maxUnpackedBytes = 536_870_912;
/** Rows below this are unpacked at once: they gain nothing from another process. */
const minPackedBytes = 65_536;

/** The rows or the results of a chunk in the form in which Redis holds them: a mark, and the bytes, compressed or not. */
export async function pack(bytes: Buffer): Promise<Buffer> {
  if (bytes.length >= minZipBytes) {
    const packed = await zip(bytes, { level });
    if (packed.length < bytes.length) return Buffer.concat([Buffer.of(marks.gzip), packed]);
  }
  return Buffer.concat([Buffer.of(marks.plain), bytes]);
}

/** Throws `DamagedJobError`. */
export async function unpack(packed: Buffer): Promise<Buffer> {
  if (packed[0] === marks.plain) return packed.subarray(1);
  if (packed[0] !== marks.gzip) throw new DamagedJobError('the bytes in Redis are damaged');
  return await unzip(packed.subarray(1), { maxOutputLength: maxUnpackedBytes }).catch((cause: unknown) => {
    throw new DamagedJobError('the bytes in Redis are damaged', { cause });
  });
}

/** Rows that are unpacked when they are wanted, by the process that runs them. Throws as `unpack` does. */
export async function holdPacked(packed: Buffer): Promise<ChunkRows> {
  const bytes = sizeOf(packed);
  if (bytes < minPackedBytes) return holdRows(await unpack(packed));
  return { bytes, count: 1, packed, load: () => unpack(packed) };
}

/** What a gzip stream says of its length, in its last four bytes (RFC 1952, ISIZE). */
function sizeOf(packed: Buffer): number {
  return packed[0] === marks.gzip && packed.length > 4
    ? packed.readUInt32LE(packed.length - 4)
    : packed.length;
}
