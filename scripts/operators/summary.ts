import type { Case } from './cases.js';
import type { Result } from './result.js';

/** Describes a run: what was tried, what died, and what had no sound run. */
export function describeRun(
  cases: readonly Case[],
  results: readonly Result[],
  { minutes, lost, showFailures }: { minutes: number; lost: number; showFailures: boolean },
): string {
  const lines: string[] = [];
  const tried = new Set<string>();
  const operators = new Set<string>();
  const without = new Map<string, string>();
  const deaths = new Map<string, Set<string>>();
  cases.forEach((it, place) => {
    const result = results[place] as Result;
    const name = it.recipe.pattern ?? it.recipe.op;
    if (result.isSound) {
      tried.add(`${name} ${it.version.since} ${it.types.join(',')}`);
      operators.add(name);
    } else without.set(name, result.failure ?? without.get(name) ?? '');
    for (const [hazard, ways] of result.deaths) {
      const key = `${name} | ${hazard} | ${[...new Set(ways)].join(', ')}`;
      const where = deaths.get(key) ?? new Set();
      const set = it.constants.length > 0 ? ` with constants ${it.constants.join(',')}` : '';
      deaths.set(key, where.add(`${it.version.since}: ${it.types.join(' ')}${set}`));
    }
    for (const [hazard, ms] of result.slowestMs) {
      if (hazard === 'text' || ms < 250) continue;
      lines.push(`slow: ${name} ${it.types.join(' ')} takes ${ms} ms with hostile ${hazard}`);
    }
    if (showFailures && result.failure)
      lines.push(
        `failed: ${name} ${it.version.since} ${it.types.join(' ')} ${JSON.stringify(it.attributes).slice(0, 80)} ${it.constants}: ${result.failure.slice(0, 200)}`,
      );
  });
  for (const [key, where] of [...deaths].sort()) {
    lines.push(`died: ${key} | ${where.size} cases: ${[...where].slice(0, 4).join('; ')}`);
  }
  for (const [name, failure] of without)
    if (!operators.has(name) && failure !== '') lines.push(`untried: ${name}: ${failure}`);
  lines.push(
    `${operators.size} operators and patterns, ${tried.size} operators × versions × types, ${cases.length} cases`,
  );
  lines.push(`${lost} children lost, ${minutes.toFixed(1)} minutes`);
  return lines.join('\n');
}
