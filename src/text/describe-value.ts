/** Describes a JSON value in a message: always short, and without visiting nested values. */
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

/** Removes the user and the password before the "@" of a URL. */
export function hideLogin(text: string): string {
  return text.replace(/^([a-z]*:\/\/)?.*@/is, '$1…@');
}

/** Hides our API keys in a text: a client may put one anywhere, such as into a URL. */
export function hideKeys(text: string): string {
  // Fast path, since every request passes here: most texts have neither.
  if (!text.includes('sdx_') && !text.includes('%')) return text;
  const plain = decodePercent(text);
  if (plain === undefined) return '…';
  return plain.includes('sdx_') ? hidePlainKeys(plain) : text;
}

/** Hides our API keys that are not encoded. It takes long texts, of which `hideKeys` decodes 1 MB in 0.3 s. */
export function hidePlainKeys(text: string): string {
  return text.includes('sdx_') ? text.replace(/sdx_[^\s/"'?&]*/g, 'sdx_…') : text;
}

const maxDecodings = 8;

/**
 * Removes percent-encoding of several layers, since a reader of the log could decode a key. Returns undefined if layers
 * are left after `maxDecodings`. Only ASCII is decoded correctly, which is enough for keys.
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

const maxLength = 64;

/** `toWellFormed`, since the cut may split a surrogate pair. */
function cut(text: string): string {
  return (text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text).toWellFormed();
}
