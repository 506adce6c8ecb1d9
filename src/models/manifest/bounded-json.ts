import { RefusedError } from '../../errors.js';
import { parseJson } from '../../text/parse-json.js';

/** Limits of a JSON file. Characters within texts do not count. */
export interface JsonBounds {
  /** Levels of arrays and objects, and all arrays and objects. */
  readonly depth: number;
  readonly containers: number;
  /** Members of all objects: different names cost the most. */
  readonly members: number;
  /** Elements of arrays and members of objects. */
  readonly values: number;
}

const [quote, backslash, comma, colon] = ['"', '\\', ',', ':'].map((letter) => letter.charCodeAt(0));
const [openArray, openObject, closeArray, closeObject] = [...'[{]}'].map((letter) => letter.charCodeAt(0));

/**
 * Parses untrusted JSON in UTF-8. A first pass over the bytes shows that the result stays small: 64 MB of "[" would
 * become 2.6 GB. Throws `RefusedError` beyond the bounds, and the errors of `parseJson`.
 */
export function parseBoundedJson(bytes: Uint8Array, label: string, bounds: JsonBounds): unknown {
  checkBounds(bytes, label, bounds);
  return parseJson(bytes);
}

function checkBounds(bytes: Uint8Array, label: string, bounds: JsonBounds): void {
  let [depth, deepest, containers, members, commas] = [0, 0, 0, 0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) at = textEnd(bytes, at);
    else if (byte === comma) commas += 1;
    else if (byte === colon) members += 1;
    else if (byte === closeArray || byte === closeObject) depth -= 1;
    else if (byte === openArray || byte === openObject) {
      containers += 1;
      depth += 1;
      if (depth > deepest) deepest = depth;
    }
  }
  const refuse = (most: number, what: string) => {
    throw new RefusedError(`${label} has over ${most.toLocaleString('en')} ${what}`);
  };
  if (deepest > bounds.depth) refuse(bounds.depth, 'levels of arrays and objects');
  if (containers > bounds.containers) refuse(bounds.containers, 'arrays and objects');
  if (members > bounds.members) refuse(bounds.members, 'members of objects');
  if (commas > bounds.values) refuse(bounds.values, 'values');
}

/** The index of the closing quotation mark of the text that begins at `start`. */
function textEnd(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}
