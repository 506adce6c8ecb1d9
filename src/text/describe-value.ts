/** A JSON value in a message: short whatever it is, and never walked into. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value));
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** A JSON object: no array, and not null. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The shape of a tensor as `[?, 3]`: `?` for a dimension without a size and a name. */
export function describeShape(dims: readonly (number | string | null | undefined)[]): string {
  return `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
}

/** An address without the user and the password that may stand before its "@". */
export function hideLogin(text: string): string {
  return text.replace(/^([a-z]*:\/\/)?.*@/is, '$1…@');
}

/** A text with the keys of our own make spelt out of it: somebody may put one anywhere, such as into an address. */
export function hideKeys(text: string): string {
  // Most texts have neither, and this stands on the way of a request.
  if (!text.includes('sdx_') && !text.includes('%')) return text;
  const plain = decodePercent(text);
  if (plain === undefined) return '…';
  // A text without a key stays as it was written.
  return plain.includes('sdx_') ? plain.replace(/sdx_[^\s/"'?&]*/g, 'sdx_…') : text;
}

const maxDecodings = 8;

/**
 * A text without percent-encoding, however often it was applied: a log must not have the key for whoever decodes it.
 * Undefined where there is no end of it in sight. Characters of a key are ASCII: others need not come out right.
 */
function decodePercent(text: string): string | undefined {
  let plain = text;
  for (let k = 0; k < maxDecodings; k += 1) {
    const next = plain.replace(/%(?:25)*([0-9a-f]{2})/gi, (_all, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    if (next === plain) return plain;
    plain = next;
  }
  return undefined;
}

/** One reference token of a JSON pointer (RFC 6901), cut at 64 characters. */
export function pointerToken(name: string): string {
  return cut(name).replaceAll('~', '~0').replaceAll('/', '~1');
}

const longest = 64;

/** At most 64 characters, and half a surrogate pair never: the other half may have been cut off. */
function cut(text: string): string {
  return (text.length > longest ? `${text.slice(0, longest - 1)}…` : text).toWellFormed();
}
