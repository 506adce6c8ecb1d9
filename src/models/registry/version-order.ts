/**
 * Four kinds of names have an order: whole numbers of any length, `v` and a whole number, `YYYYMMDD_HHMMSS`, and
 * semantic versions (semver.org 2.0.0, without build metadata). All others have none, such as `V1` and `v1.2.0`.
 */
export type VersionKind = 'number' | 'v-number' | 'timestamp' | 'semantic' | 'unordered';

interface ParsedVersion {
  readonly name: string;
  readonly kind: VersionKind;
}

export interface VersionOrder {
  /** The accepted names that have an order, oldest first. */
  readonly ascending: readonly string[];
  /** Refused name → reason. */
  readonly faults: ReadonlyMap<string, string>;
}

const number = /^\d+$/;
const vNumber = /^v\d+$/;
const timestamp = /^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])_([01]\d|2[0-3])[0-5]\d[0-5]\d$/;
const part = '(?:0|[1-9]\\d*)';
const identifier = '(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)';
const semantic = new RegExp(`^${part}\\.${part}\\.${part}(?:-${identifier}(?:\\.${identifier})*)?$`);

export function kindOfVersion(name: string): VersionKind {
  if (number.test(name)) return 'number';
  if (vNumber.test(name)) return 'v-number';
  if (timestamp.test(name)) return 'timestamp';
  return semantic.test(name) ? 'semantic' : 'unordered';
}

export function isPrerelease(name: string): boolean {
  return kindOfVersion(name) === 'semantic' && name.includes('-');
}

/** The newest of names that are sorted oldest first; a prerelease only if there is nothing else. */
export function newestName(ascending: readonly string[]): string | undefined {
  return ascending.findLast((name) => !isPrerelease(name)) ?? ascending.at(-1);
}

export function orderVersions(names: readonly string[]): VersionOrder {
  const faults = new Map<string, string>();
  const parsed: readonly ParsedVersion[] = names.map((name) => ({ name, kind: kindOfVersion(name) }));
  const ordered = parsed.filter((it) => it.kind !== 'unordered');
  const refuseBoth = (a: string, b: string, why: string) => {
    for (const name of [a, b]) if (!faults.has(name)) faults.set(name, `${a} and ${b} ${why}`);
  };

  const byKey = new Map<string, string>();
  for (const it of parsed) {
    const key = keyOf(it);
    const other = byKey.get(key);
    if (other === undefined) byKey.set(key, it.name);
    else refuseBoth(other, it.name, 'compare as equal: keep one of them');
  }
  // Names that are already refused do not make other names a mixture of kinds.
  const distinct = ordered.filter((it) => !faults.has(it.name));
  const firstOfKind = new Map<VersionKind, ParsedVersion>();
  for (const it of distinct) if (!firstOfKind.has(it.kind)) firstOfKind.set(it.kind, it);
  const firsts = [...firstOfKind.values()];
  for (const it of distinct) {
    const other = firsts.find((candidate) => candidate.kind !== it.kind);
    if (other !== undefined) {
      refuseBoth(
        it.name,
        other.name,
        `have no common order (${it.kind} and ${other.kind}): use one kind of version`,
      );
    }
  }
  const sound = ordered.filter((it) => !faults.has(it.name));
  return { ascending: sound.sort(compare).map((it) => it.name), faults };
}

/** Equal for names that compare as equal, and for names that a disk without case would hold as one. */
function keyOf({ name, kind }: ParsedVersion): string {
  if (kind === 'number' || kind === 'v-number') return name.replace(/^(v?)0+(?=.)/, '$1');
  return name.toLowerCase();
}

function compare(a: ParsedVersion, b: ParsedVersion): number {
  if (a.kind === 'number') return compareNumbers(a.name, b.name);
  if (a.kind === 'v-number') return compareNumbers(a.name.slice(1), b.name.slice(1));
  return a.kind === 'semantic' ? compareSemantic(a.name, b.name) : compareTexts(a.name, b.name);
}

function compareNumbers(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Precedence by semver.org 2.0.0, item 11. The package semver 7.8 reads numeric identifiers as doubles:
 * `1.0.0-20260101090000123` and `…124` are equal there, and a core part above 2^53 is no version.
 */
function compareSemantic(a: string, b: string): number {
  const [coreA, prereleaseA] = splitSemantic(a);
  const [coreB, prereleaseB] = splitSemantic(b);
  for (let k = 0; k < 3; k += 1) {
    const order = compareNumbers(coreA[k] as string, coreB[k] as string);
    if (order !== 0) return order;
  }
  if (prereleaseA.length === 0 || prereleaseB.length === 0) return prereleaseB.length - prereleaseA.length;
  for (let k = 0; k < Math.max(prereleaseA.length, prereleaseB.length); k += 1) {
    const order = compareIdentifiers(prereleaseA[k], prereleaseB[k]);
    if (order !== 0) return order;
  }
  return 0;
}

function splitSemantic(name: string): [core: string[], prerelease: string[]] {
  const dash = name.indexOf('-');
  if (dash < 0) return [name.split('.'), []];
  return [name.slice(0, dash).split('.'), name.slice(dash + 1).split('.')];
}

function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const areNumbers = [number.test(a), number.test(b)];
  if (areNumbers[0] && areNumbers[1]) return compareNumbers(a, b);
  if (areNumbers[0] !== areNumbers[1]) return areNumbers[0] ? -1 : 1;
  return compareTexts(a, b);
}
