/** C1 controls, line separators and marks of writing direction (Unicode 16, Bidi_Control). */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Cuts text from a model or a file at `max` characters, and makes it one line that is safe for a terminal: escapes
 * control characters, which could move the cursor, and marks of writing direction.
 */
export function printable(text: string, max = 2_000): string {
  const cut = text.length > max ? `${text.slice(0, max - 1)}…` : text;
  return cut.replace(/[\u0000-\u001f]/g, spellOut).replace(unprintable, spellOut);
}

/** JSON that is safe for a terminal. Escapes keep the value unchanged when the JSON is parsed. */
export function toPrintableJson(value: unknown): string {
  return escapeJson(JSON.stringify(value, null, 2));
}

export function escapeJson(text: string): string {
  return text.replace(unprintable, spellOut);
}

function spellOut(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Columns whose index is in `right` are aligned to the right. */
export function toTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, k) =>
    rows.reduce((max, row) => Math.max(max, (row[k] ?? '').length), 0),
  );
  const pad = (cell: string, k: number) =>
    right.includes(k) ? cell.padStart(widths[k] ?? 0) : cell.padEnd(widths[k] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** Quotes the text as one word of a POSIX shell. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
