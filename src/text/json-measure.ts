const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;

/** The size of what a parser would build from a JSON text. */
export interface JsonMeasure {
  readonly depth: number;
  /** Names of members, and objects. */
  readonly names: number;
  /** Commas, and arrays. */
  readonly items: number;
}

/**
 * Measures a JSON text without parsing it, at 1 to 2 ns a byte. Stops when the nesting exceeds `maxDepth`. The figures
 * of invalid JSON mean nothing; the parser refuses it later.
 */
export function measureJson(json: Uint8Array, maxDepth: number): JsonMeasure {
  let depth = 0;
  let deepest = 0;
  let names = 0;
  let items = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] as number;
    if (byte === quote) {
      at = endOfString(json, at + 1);
    } else if (byte === comma) items += 1;
    else if (byte === colon) names += 1;
    else if ((byte | 0x20) === 0x7b) {
      // `[` is 0x5b and `{` is 0x7b: they differ by 0x20. So do `]` (0x5d) and `}` (0x7d).
      if (byte === 0x7b) names += 1;
      else items += 1;
      depth += 1;
      if (depth > deepest) {
        deepest = depth;
        if (deepest > maxDepth) break;
      }
    } else if ((byte | 0x20) === 0x7d) depth -= 1;
  }
  return { depth: deepest, names, items };
}

/** The end of a longer string is found by Node's `indexOf`, which compares many bytes at a time. */
const maxStepped = 64;

/** The index of the closing quote of the string that begins at `start`; the text's length or more if it has none. */
function endOfString(json: Uint8Array, start: number): number {
  let at = start;
  let stepped = 0;
  // The next quote, escaped or not. It is kept, so that a long string of escapes is searched only once.
  let next = -1;
  while (at < json.length && json[at] !== quote) {
    at += json[at] === backslash ? 2 : 1;
    stepped += 1;
    if (stepped < maxStepped) continue;
    if (next < at) next = json.indexOf(quote, at);
    if (next < 0) return json.length;
    const slash = json.subarray(at, next).indexOf(backslash);
    if (slash < 0) return next;
    at += slash;
    stepped = 0;
  }
  return at;
}
