import { createHash } from 'node:crypto';

/**
 * Gives each key a name that is valid in any programming language: `credit-risk` becomes `CreditRisk`. The names and
 * `taken` stay distinct in generators that drop case and all characters except letters and digits. If two keys collide,
 * the one in lower case with single hyphens keeps the plain name, and the other gets a part of its digest. So a name
 * depends only on the keys that collide with its own.
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

/** Parts that begin with a digit are separated by `_`, since digits have no upper case: `1.0.0` becomes `1_0_0`. */
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
