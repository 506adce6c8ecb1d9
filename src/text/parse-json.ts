/** Parses JSON in UTF-8. Throws `SyntaxError`, and `TypeError` for bytes that are not UTF-8. */
export function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
}
