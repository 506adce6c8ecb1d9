import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Case } from './cases.js';
import { emptyResult, type Result } from './result.js';

const path = 'reports/operators.json';

type Lists = { deaths: [never, string[]][]; sizes: number[]; slowestMs: [never, number][] };

/** Keeps the results of a run, so that single operators can be tried again, and the table can be written again. */
export function writeReport(cases: readonly Case[], results: readonly Result[]): void {
  mkdirSync('reports', { recursive: true });
  const entries = cases.map((it, place) => [keyOf(it), results[place]]);
  const toJson = (_: string, it: unknown) => (it instanceof Map || it instanceof Set ? [...it] : it);
  writeFileSync(path, JSON.stringify(Object.fromEntries(entries), toJson));
}

/** Returns the results of the last run for these cases, empty for new ones. */
export function readReport(cases: readonly Case[]): Result[] {
  const known = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Result & Lists>)
    : {};
  return cases.map((it) => {
    const found = known[keyOf(it)];
    if (found === undefined) return emptyResult();
    const { deaths, sizes, slowestMs, ...rest } = found as Omit<Result, keyof Lists> & Lists;
    return { ...rest, deaths: new Map(deaths), sizes: new Set(sizes), slowestMs: new Map(slowestMs) };
  });
}

function keyOf({ recipe, version, types, constants, attributes }: Case): string {
  const text = JSON.stringify([
    recipe.pattern ?? recipe.op,
    version.since,
    types,
    constants,
    attributes,
    recipe.inputs.map(({ dims, values = [], isAbsent }) => [dims, values.map(String), isAbsent]),
    recipe.outputs,
  ]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
