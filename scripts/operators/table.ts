import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Case } from './cases.js';
import type { Hazard } from './hostile-feeds.js';
import { groupOf, type Result } from './result.js';
import { schemaFile, versionsOf } from './schemas.js';

/** Limit for a text of 8 MiB, which a single row may carry. Its transfer alone takes up to 90 ms of CPU time. */
const maxTextMs = 250;
/** Limit for hostile elements, in the small tensors of the recipes. */
const maxValueMs = 1_000;
const deadly: readonly Hazard[] = ['sound', 'value', 'shape', 'text'];
/** The judge excludes these: empty values or other ranks at some number of rows, and sizes that a request sets. */
const excluded: readonly Hazard[] = ['empty', 'rank', 'size'];

interface Tried {
  readonly it: Case;
  readonly result: Result;
}

interface Entry {
  readonly opsets: readonly [number, number];
  readonly types: Record<string, string>;
  readonly texts?: Readonly<Record<string, readonly string[]>>;
  readonly sizedBy?: readonly number[];
  readonly constant?: readonly number[];
  readonly dies?: readonly string[];
}

/** Writes the operators that survived: src/inference/analysis/proven-operators.json. */
export function writeTable(cases: readonly Case[], results: readonly Result[]): void {
  const all = cases.flatMap((it, place): Tried[] => {
    const result = results[place];
    if (result === undefined || it.recipe.pattern !== undefined || isSlowByValue(it)) return [];
    return [{ it, result }];
  });
  const dead = new Set(all.filter(isDeadly).map(({ it }) => groupOf(it, true)));
  const byOperator = groupBy(all, ({ it }) => it.recipe.op);
  const operators: Record<string, Entry[]> = {};
  for (const [op, tried] of [...byOperator].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const entries = mergeVersions(versionsOf(op).map((version) => entriesOf(tried, version.since, dead)));
    if (entries.length > 0) operators[op] = entries;
  }
  const packageFile = new URL('../../node_modules/onnxruntime-node/package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  const path = fileURLToPath(new URL('../../src/inference/analysis/proven-operators.json', import.meta.url));
  const header = { engine: version, schemas: schemaFile.onnx };
  writeFileSync(path, `${JSON.stringify({ ...header, operators }, null, 2)}\n`);
  spawnSync('npx', ['biome', 'format', '--write', path], { stdio: 'inherit' });
}

/** The values of a remainder of floats make it up to 200 times slower, which small tensors do not show. */
function isSlowByValue({ recipe, types }: Case): boolean {
  return recipe.op === 'Mod' && types[0]?.startsWith('float') === true;
}

function isDeadly({ result }: Tried): boolean {
  const { deaths, slowestMs } = result;
  if (deadly.some((hazard) => deaths.has(hazard))) return true;
  return (slowestMs.get('text') ?? 0) > maxTextMs || (slowestMs.get('value') ?? 0) > maxValueMs;
}

/** The entries of one version of an operator, one for each set of inputs that must be constants. */
function entriesOf(all: readonly Tried[], since: number, dead: ReadonlySet<string>): Entry[] {
  const tried = all.filter(({ it }) => it.version.since === since);
  const [first] = tried;
  if (first === undefined) return [];
  const { version } = first.it;
  const sizedBy = [...new Set(tried.flatMap(({ it, result }) => [...result.sizes, ...sizesOf(it)]))].sort(
    (a, b) => a - b,
  );
  const texts = textsOf(tried);
  const dies = excluded.filter((hazard) => all.some(({ result }) => result.deaths.has(hazard)));
  const byCondition = new Map<string, Record<string, string>>();
  for (const [takes, group] of groupBy(tried, takesOf)) {
    const constant = conditionOf(group, dead);
    if (constant === undefined) continue;
    const key = JSON.stringify(constant);
    const types = byCondition.get(key) ?? {};
    types[takes] = givesOf(group);
    byCondition.set(key, types);
  }
  return [...byCondition].map(
    ([constant, types]): Entry => ({
      opsets: [version.since, version.until],
      types: withoutCovered(types),
      ...(Object.keys(texts).length > 0 && { texts }),
      ...(sizedBy.length > 0 && { sizedBy }),
      ...(constant !== '[]' && { constant: JSON.parse(constant) as number[] }),
      ...(dies.length > 0 && { dies }),
    }),
  );
}

/** The inputs that must be constants for the operator to be safe; undefined if it is unsafe, or was not tried. */
function conditionOf(group: readonly Tried[], dead: ReadonlySet<string>): readonly number[] | undefined {
  const sets = [[], ...group.map(({ it }) => it.constants)].sort((a, b) => a.length - b.length);
  return sets.find((set) => {
    const within = group.filter(({ it }) => set.every((place) => it.constants.includes(place)));
    return (
      within.some(({ result }) => result.isSound) && !within.some(({ it }) => dead.has(groupOf(it, true)))
    );
  });
}

function takesOf({ it: { recipe, types, version } }: Tried): string {
  const takes =
    recipe.signature?.(types).takes ??
    types.map((type, place) => (recipe.inputs[place]?.isAbsent ? '-' : type));
  const isVariadic = version.inputs.at(-1)?.endsWith('*') === true && new Set(takes).size === 1;
  return isVariadic ? `${takes[0]}*` : takes.join(' ');
}

/** All combinations of output types, without those that are the beginning of another one. */
function givesOf(group: readonly Tried[]): string {
  const ways = new Set(
    group
      .filter(({ result }) => result.isSound)
      .map(({ it: { recipe, types, version }, result }) => {
        const gives = recipe.signature?.(types).gives ?? result.gives;
        return version.outputs.at(-1)?.endsWith('*') && gives.length > 0 ? `${gives[0]}*` : gives.join(' ');
      }),
  );
  return [...ways]
    .filter((way) => ![...ways].some((other) => other.startsWith(`${way} `)))
    .sort()
    .join(' | ');
}

/** Removes combinations that are the beginning of another one, or differ from it only by an omitted input. */
function withoutCovered(types: Readonly<Record<string, string>>): Record<string, string> {
  const all = Object.entries(types).map(([takes, gives]) => ({ takes: takes.split(' '), gives }));
  const isCovered = ({ takes, gives }: (typeof all)[number]) =>
    all.some(
      (other) =>
        other.takes !== takes &&
        other.gives === gives &&
        other.takes.length >= takes.length &&
        other.takes.join(' ') !== takes.join(' ') &&
        takes.every(
          (type, place) => type === other.takes[place] || (type === '-' && other.takes[place] !== '-'),
        ),
    );
  return Object.fromEntries(
    all
      .filter((it) => !isCovered(it))
      .map(({ takes, gives }): [string, string] => [takes.join(' '), gives])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const sizesOf = ({ recipe }: Case) => recipe.inputs.flatMap(({ isSize }, place) => (isSize ? [place] : []));

/** The attributes of one text, with the texts that were tried. */
function textsOf(tried: readonly Tried[]): Record<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { it, result } of tried) {
    if (!result.isSound) continue;
    for (const [name, value] of Object.entries(it.attributes)) {
      if (typeof value !== 'string') continue;
      found.set(name, (found.get(name) ?? new Set<string>()).add(value.replaceAll(' ', '')));
    }
  }
  return Object.fromEntries([...found].sort().map(([name, values]) => [name, [...values].sort()]));
}

/** Merges successive versions with equal entries. */
function mergeVersions(versions: readonly (readonly Entry[])[]): Entry[] {
  const merged: Entry[][] = [];
  for (const entries of versions) {
    const last = merged.at(-1);
    const start = entries[0]?.opsets[0];
    const isAlike =
      last !== undefined &&
      start !== undefined &&
      (last[0]?.opsets[1] ?? 0) + 1 === start &&
      JSON.stringify(last.map(content)) === JSON.stringify(entries.map(content));
    if (isAlike)
      merged[merged.length - 1] = last.map((it) => ({
        ...it,
        opsets: [it.opsets[0], entries[0]?.opsets[1] ?? 0],
      }));
    else if (entries.length > 0) merged.push([...entries]);
  }
  return merged.flat();
}

const content = ({ opsets: _, ...rest }: Entry) => rest;

/** Map.groupBy, which Node 20 lacks. */
function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
