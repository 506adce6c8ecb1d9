/** A JSON value in a message: short whatever it is, and never walked into. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value));
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** An address without the user and the password that may stand before its "@". */
export function hideLogin(text: string): string {
  return text.replace(/^([a-z]*:\/\/)?.*@/is, '$1…@');
}

/** A text with the keys of our own make spelt out of it: somebody may put one anywhere, such as into an address. */
export function hideKeys(text: string): string {
  return text.includes('sdx_') ? text.replace(/sdx_[\w-]+/g, 'sdx_…') : text;
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
