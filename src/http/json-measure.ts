const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;

/** What parsing a JSON text would make. */
export interface JsonMeasure {
  /** How deeply arrays and objects are nested. */
  readonly depth: number;
  /** Names of members, and objects. */
  readonly names: number;
  /** Values behind a comma, and arrays. */
  readonly items: number;
}

/**
 * Measures a JSON text without parsing it, in one pass of a nanosecond or two a byte. Stops once deeper than
 * `maxDepth`. On text that is no JSON the figures mean nothing, and the parser says so.
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
      // [ and { differ from ] and } by two, and from each other by 0x20.
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

/** A longer string is searched for its end by Node's own `indexOf`, which looks at many bytes at a time. */
const maxStepped = 64;

/** The index of the quote that ends the string which begins at `start`; the text's length or more if none does. */
function endOfString(json: Uint8Array, start: number): number {
  let at = start;
  let stepped = 0;
  // The next quote, escaped or not. Searched once for each quote, or a long text of escapes would be searched again and again.
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
