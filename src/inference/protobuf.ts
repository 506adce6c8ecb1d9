import { readIntRun, readTextRun, skipRun } from './protobuf-run.js';
import { int32At, int64At, ProtobufError, varintEnd } from './varint.js';

export { ProtobufError } from './varint.js';

/** A field's tag: what to compare `reader.tag` with. A known number with another wire type is an unknown field. */
export const varint = (field: number): number => field * 8;
export const delimited = (field: number): number => field * 8 + 2;
export const fixed32 = (field: number): number => field * 8 + 5;

/** As many as protobuf itself allows: what nests deeper, the engine cannot read either. */
const MAX_DEPTH = 100;
/** Messages and texts taken from one input. A node takes about ten; a million take a second or two. */
const MAX_PARTS = 1_000_000;

interface Source {
  readonly bytes: Buffer;
  parts: number;
}

/**
 * Reads one protobuf message field by field, from bytes that are not trusted. Nothing is copied or decoded until
 * asked for, so that a field is passed over at the cost of its head. Each fault throws `ProtobufError`.
 *
 *     while (reader.next()) if (reader.tag === varint(1)) version = reader.int();
 */
export class ProtobufReader {
  /** Of the current field; 0 before the first. */
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
    return new ProtobufReader({ bytes: buffer, parts: 0 }, 0, buffer.length, 0);
  }

  /** Moves to the next field; false at the message's end. */
  next(): boolean {
    if (this.#at >= this.#limit) return false;
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

  /** The same message, from its first field. */
  again(): ProtobufReader {
    return new ProtobufReader(this.#source, this.#first, this.#limit, this.#depth);
  }

  /** The current field as an int64; rounded beyond ±2^53. */
  int(): number {
    return int64At(this.#source.bytes, this.#start);
  }

  /** The current field as protobuf takes an enum: the low 32 bits of whatever is there. */
  enum(): number {
    return int32At(this.#source.bytes, this.#start);
  }

  float(): number {
    return this.#source.bytes.readFloatLE(this.#start);
  }

  /** The current field as UTF-8, with U+FFFD for what is not. */
  text(): string {
    this.#count();
    return this.#source.bytes.toString('utf8', this.#start, this.#at);
  }

  /** The content of the current field as it lies in the input. */
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

  /** Passes over the fields that follow with the same tag, as far as that is simple. */
  skipAlike(): void {
    this.#at = skipRun(this.#source.bytes, this.#at, this.#limit, this.tag);
  }

  /** All elements of a repeated field, packed or not, from here to the end of the message. */
  ints(field: number): number[] {
    const { bytes } = this.#source;
    const values: number[] = [];
    while (this.next()) {
      if (this.tag === varint(field)) {
        values.push(this.int());
        this.#at = readIntRun(bytes, this.#at, this.#limit, this.tag, values);
      }
      if (this.tag !== delimited(field)) continue;
      for (let at = this.#start; at < this.#at; ) {
        const end = varintEnd(bytes, at, this.#at);
        values.push(int64At(bytes, at));
        at = end;
      }
    }
    return values;
  }

  floats(field: number): number[] {
    const values: number[] = [];
    while (this.next()) {
      if (this.tag === fixed32(field)) values.push(this.float());
      if (this.tag !== delimited(field)) continue;
      if ((this.#at - this.#start) % 4 !== 0) {
        throw new ProtobufError(`has a list of numbers that ends early at byte ${this.#at}`);
      }
      for (let at = this.#start; at < this.#at; at += 4) values.push(this.#source.bytes.readFloatLE(at));
    }
    return values;
  }

  texts(field: number): string[] {
    const { bytes } = this.#source;
    const values: string[] = [];
    while (this.next()) {
      if (this.tag !== delimited(field)) continue;
      values.push(bytes.toString('utf8', this.#start, this.#at));
      this.#at = readTextRun(bytes, this.#at, this.#limit, this.tag, values);
    }
    return values;
  }

  #count(): void {
    this.#source.parts += 1;
    if (this.#source.parts > MAX_PARTS) throw new ProtobufError(`has over ${MAX_PARTS} parts`);
  }

  #pass(length: number): true {
    if (length > this.#limit - this.#at) throw new ProtobufError(`ends early at byte ${this.#limit}`);
    this.#at += length;
    return true;
  }

  /** A tag or a length at `at`, which protobuf keeps to 32 bits; leaves #at behind it. */
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
