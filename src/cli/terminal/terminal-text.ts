/** Beyond ASCII's own: C1 controls, and marks of lines and of the direction of writing (Unicode 16, Bidi_Control). */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Text from a model or a file as a terminal may have it: control characters, which could move the cursor or more,
 * and marks that turn the direction of writing, are spelt out; cut at `most` characters, on one line.
 */
export function printable(text: string, most = 2_000): string {
  const cut = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return cut.replace(/[\u0000-\u001f]/g, spellOut).replace(unprintable, spellOut);
}

/** A value as JSON for a terminal: what `printable` spells out is escaped, and read back as it was. */
export function toPrintableJson(value: unknown): string {
  return escapeJson(JSON.stringify(value, null, 2));
}

/** The same of a text that is JSON already. */
export function escapeJson(text: string): string {
  return text.replace(unprintable, spellOut);
}

function spellOut(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A table: each column as wide as its widest cell; those of `right` are set to the right. */
export function toTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, k) =>
    rows.reduce((most, row) => Math.max(most, (row[k] ?? '').length), 0),
  );
  const pad = (cell: string, k: number) =>
    right.includes(k) ? cell.padStart(widths[k] ?? 0) : cell.padEnd(widths[k] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** For a POSIX shell, as one word. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
