const quote = 0x22;
const backslash = 0x5c;

/**
 * How deeply the arrays and objects of a JSON text are nested, without parsing it. Stops once past `most`.
 * Takes a nanosecond or two a byte; on text that is no JSON the figure means nothing, and the parser says so.
 */
export function measureDepth(json: Uint8Array, most: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] as number;
    if (byte === quote) {
      at += 1;
      while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1;
    } else if ((byte | 0x20) === 0x7b) {
      // [ and { differ from ] and } by two, and from each other by 0x20.
      depth += 1;
      if (depth > deepest) {
        deepest = depth;
        if (deepest > most) return deepest;
      }
    } else if ((byte | 0x20) === 0x7d) {
      depth -= 1;
    }
  }
  return deepest;
}
