/** JSON of values that Parquet files have, too: 64-bit integers, and numbers that are not finite, which become null. */
export function toJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  // Rare, and only in rows of Parquet. `rawJSON` would need Node 22.
  if (typeof value === 'object' && value !== null && hasBigInt(value)) {
    if (Array.isArray(value)) return `[${value.map(toJson).join()}]`;
    return `{${Object.entries(value)
      .map(([name, it]) => `${JSON.stringify(name)}:${toJson(it)}`)
      .join()}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

function hasBigInt(value: object): boolean {
  return Object.values(value).some(
    (it) =>
      typeof it === 'bigint' ||
      (typeof it === 'object' && it !== null && !(it instanceof Date) && hasBigInt(it)),
  );
}
