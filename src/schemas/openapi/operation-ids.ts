import { createHash } from 'node:crypto';

/**
 * A name for each of these keys that programs of any language can use: `credit-risk` is `CreditRisk`. No two are alike
 * to a generator that drops what is no letter or digit, or the case; `taken` are names that others have. Where two would
 * be, the key in lower case with single hyphens keeps the plain name, and the other ends in a part of its digest, so
 * that a name depends on no more than the keys that are like its own.
 */
export function nameAll(keys: readonly string[], taken: readonly string[] = []): ReadonlyMap<string, string> {
  const used = new Set(taken.map(toComparable));
  const byPreference = [...keys].sort(
    (a, b) => Number(isPlain(b)) - Number(isPlain(a)) || (a < b ? -1 : a > b ? 1 : 0),
  );
  const names = new Map<string, string>();
  for (const key of byPreference) {
    const plain = toPascalCase(key);
    const name = used.has(toComparable(plain)) ? `${plain}${digestOf(key)}` : plain;
    used.add(toComparable(name));
    names.set(key, name);
  }
  return names;
}

/** `20261101_090000` stays as it is, and `1.0.0` is `1_0_0`: a digit has no upper case that tells where a part begins. */
function toPascalCase(key: string): string {
  return key
    .split(/[^A-Za-z0-9]+/)
    .filter((part) => part !== '')
    .map((part, index) =>
      index > 0 && /^\d/.test(part) ? `_${part}` : part[0]?.toUpperCase() + part.slice(1),
    )
    .join('');
}

function toComparable(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function isPlain(key: string): boolean {
  return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(key);
}

function digestOf(key: string): string {
  return `X${createHash('sha256').update(key).digest('hex').slice(0, 6)}`;
}
