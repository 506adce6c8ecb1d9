/** Whether the engine gets this text as it is: it cuts strings at NUL, and a lone surrogate has no UTF-8 form. */
export function isEncodableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** A JSON value in a message: short whatever it is, and never walked into. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 64 ? `${value.slice(0, 63)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** One reference token of a JSON pointer (RFC 6901), cut at 64 characters. */
export function pointerToken(name: string): string {
  const cut = name.length > 64 ? `${name.slice(0, 63)}…` : name;
  return cut.replaceAll('~', '~0').replaceAll('/', '~1');
}
