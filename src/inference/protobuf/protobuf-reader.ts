import { counted, graphLimits } from './limits.js';
import { skipRun } from './packed-run.js';
import { int32At, int64At, ProtobufError, varintEnd } from './varint.js';

export { ProtobufError } from './varint.js';

/** Tags to compare with `reader.tag`. A known field number with another wire type is an unknown field. */
export const varint = (field: number): number => field * 8;
export const delimited = (field: number): number => field * 8 + 2;
export const fixed32 = (field: number): number => field * 8 + 5;

/** The limit of protobuf itself, and so of the engine. */
const MAX_DEPTH = 100;

class Source {
  readonly bytes: Buffer;
  fields = 0;
  elements = 0;
  textBytes = 0;
  parts = 0;
  partsBefore = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/**
 * Reads a protobuf message field by field, from untrusted bytes. Only requested fields are copied or decoded. Throws
 * `ProtobufError` for a fault, and for anything above `graphLimits`.
 *
 *     while (reader.next()) if (reader.tag === varint(1)) version = reader.int();
 */
export class ProtobufReader {
  tag = 0;
  readonly #source: Source;
  readonly #first: number;
  readonly #limit: number;
  readonly #depth: number;
  /** The content of the current field is [start, at); the next tag stands at `at`. */
  #start: number;
  #at: number;

  private constructor(source: Source, start: number, limit: number, depth: number) {
    this.#source = source;
    this.#first = start;
    this.#start = start;
    this.#at = start;
    this.#limit = limit;
    this.#depth = depth;
  }

  static of(bytes: Uint8Array): ProtobufReader {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new ProtobufReader(new Source(buffer), 0, buffer.length, 0);
  }

  next(): boolean {
    if (this.#at >= this.#limit) return false;
    this.#source.fields += 1;
    if (this.#source.fields > graphLimits.fields) throw tooMany('fields', graphLimits.fields);
    this.tag = this.#size(this.#at);
    if (this.tag < 8) throw new ProtobufError(`has a field without a number at byte ${this.#start}`);
    this.#start = this.#at;
    switch (this.tag & 7) {
      case 0:
        this.#at = varintEnd(this.#source.bytes, this.#start, this.#limit);
        return true;
      case 1:
        return this.#pass(8);
      case 2: {
        const length = this.#size(this.#start);
        this.#start = this.#at;
        return this.#pass(length);
      }
      case 5:
        return this.#pass(4);
      default:
        throw new ProtobufError(`has a field of an unknown kind at byte ${this.#start}`);
    }
  }

  /** Returns a reader of the same message, from its first field and with new counts. */
  again(): ProtobufReader {
    return new ProtobufReader(new Source(this.#source.bytes), this.#first, this.#limit, this.#depth);
  }

  get span(): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
    return { bytes: this.#source.bytes, start: this.#start, end: this.#at };
  }

  /** Begins an item, which may have at most `graphLimits.itemParts` parts. */
  beginItem(): void {
    this.#source.partsBefore = this.#source.parts;
  }

  /** The current field as an int64; rounded beyond ±2^53. */
  int(): number {
    return int64At(this.#source.bytes, this.#start);
  }

  /** The low 32 bits of the current field, as protobuf reads an enum. */
  enum(): number {
    return int32At(this.#source.bytes, this.#start);
  }

  float(): number {
    return this.#source.bytes.readFloatLE(this.#start);
  }

  get length(): number {
    return this.#at - this.#start;
  }

  /** The current field as UTF-8, with U+FFFD for invalid bytes. */
  text(max: number = graphLimits.nameBytes): string {
    this.#count();
    this.#source.textBytes += this.length;
    if (this.length > max)
      throw new LimitError(`has a text of over ${counted(max)} bytes at byte ${this.#start}`);
    if (this.#source.textBytes > graphLimits.textBytes)
      throw tooMany('bytes of names and metadata', graphLimits.textBytes);
    return this.#source.bytes.toString('utf8', this.#start, this.#at);
  }

  /** The content of the current field, without a copy. */
  bytes(): Buffer {
    return this.#source.bytes.subarray(this.#start, this.#at);
  }

  message(): ProtobufReader {
    this.#count();
    if (this.#depth >= MAX_DEPTH) {
      throw new ProtobufError(`nests over ${MAX_DEPTH} messages deep at byte ${this.#start}`);
    }
    return new ProtobufReader(this.#source, this.#start, this.#at, this.#depth + 1);
  }

  /** Skips the plain fields of the same tag that follow, and returns their number. */
  skipAlike(): number {
    const { bytes } = this.#source;
    const { listBytes, listElements } = graphLimits;
    const stop = this.#at + listBytes;
    const { end, count } = skipRun(bytes, this.#at, this.#limit, this.tag, listElements, stop);
    this.#source.elements += count;
    if (end > stop) throw tooMany('bytes in a list', listBytes);
    if (count > listElements) throw tooMany('elements in a list', listElements);
    if (this.#source.elements > graphLimits.elements)
      throw tooMany('elements in its lists', graphLimits.elements);
    this.#at = end;
    return count;
  }

  /** Lets `read` read a run behind the current field, and continues after it. */
  passRun(read: (bytes: Buffer, start: number, limit: number, tag: number) => number): void {
    this.#at = read(this.#source.bytes, this.#at, this.#limit, this.tag);
  }

  #count(): void {
    const source = this.#source;
    source.parts += 1;
    if (source.parts > graphLimits.parts) throw tooMany('parts', graphLimits.parts);
    if (source.parts - source.partsBefore > graphLimits.itemParts) {
      throw tooMany('parts in one value, tensor or attribute', graphLimits.itemParts);
    }
  }

  #pass(length: number): true {
    if (length > this.#limit - this.#at) throw new ProtobufError(`ends early at byte ${this.#limit}`);
    this.#at += length;
    return true;
  }

  /** Reads a tag or a length of at most 32 bits at `at`, and moves #at behind it. */
  #size(at: number): number {
    const byte = this.#source.bytes[at];
    if (at < this.#limit && byte !== undefined && byte < 128) {
      this.#at = at + 1;
      return byte;
    }
    this.#at = varintEnd(this.#source.bytes, at, this.#limit);
    const value = int64At(this.#source.bytes, at);
    if (value < 0 || value >= 2 ** 32) throw new ProtobufError(`has a broken field at byte ${at}`);
    return value;
  }
}

/** A file above a limit is not broken, so the message must not say that it is. */
export class LimitError extends ProtobufError {}

function tooMany(what: string, max: number): LimitError {
  return new LimitError(`has over ${counted(max)} ${what}`);
}
