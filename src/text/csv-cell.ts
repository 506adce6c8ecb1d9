const needsQuotes = /[",\r\n]|^$/;

/** A cell of CSV (RFC 4180). Null is an empty field, and an empty text is quoted. */
export function toCell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = String(value);
  return needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
