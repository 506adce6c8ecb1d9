export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

const MAX_BYTES = 10;
/** Numbers are read in limbs of 28, 28 and 8 bits, each exact in 32 bits: BigInt would take ten times as long. */
const LIMB = 2 ** 28;

/** The end of the varint at `start`, which must lie before `limit`. */
export function varintEnd(bytes: Uint8Array, start: number, limit: number): number {
  for (let at = start; at < limit; at++) {
    if (at - start === MAX_BYTES) throw new ProtobufError(`has a number of over 10 bytes at byte ${start}`);
    if ((bytes[at] ?? 0) < 128) return at + 1;
  }
  throw new ProtobufError(`ends early at byte ${limit}`);
}

/** The varint at `start` as an int64, rounded beyond ±2^53. `varintEnd` must have checked it. */
export function int64At(bytes: Uint8Array, start: number): number {
  const first = bytes[start] ?? 0;
  if (first < 128) return first;
  const second = bytes[start + 1] ?? 0;
  if (second < 128) return (first & 127) | (second << 7);
  const third = bytes[start + 2] ?? 0;
  if (third < 128) return (first & 127) | ((second & 127) << 7) | (third << 14);
  const { low, middle, high } = limbsAt(bytes, start);
  if (high < 128) return (high * LIMB + middle) * LIMB + low;
  // Two's complement: the inverse of a small negative number is small, so it stays exact.
  return -(((255 - high) * LIMB + (LIMB - 1 - middle)) * LIMB + (LIMB - 1 - low)) - 1;
}

export function int32At(bytes: Uint8Array, start: number): number {
  const { low, middle } = limbsAt(bytes, start);
  return low | (middle << 28);
}

function limbsAt(bytes: Uint8Array, start: number): { low: number; middle: number; high: number } {
  let [low, middle, high] = [0, 0, 0];
  for (let place = 0; place < MAX_BYTES; place++) {
    const byte = bytes[start + place] ?? 0;
    if (place < 4) low |= (byte & 127) << (7 * place);
    else if (place < 8) middle |= (byte & 127) << (7 * (place - 4));
    else high |= (byte & 127) << (7 * (place - 8));
    if (byte < 128) break;
  }
  return { low, middle, high: high & 255 };
}
