import { mkdirSync, writeFileSync } from 'node:fs';

/** What is judged: the figure, and whether it is as good as that. */
export interface Aim {
  readonly text: string;
  readonly isMet: (value: number) => boolean;
}

interface Row {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly aim: string;
  readonly met: boolean | null;
  readonly skipped?: string;
}

export const atLeast = (limit: number): Aim => ({ text: `>= ${limit}`, isMet: (value) => value >= limit });
export const atMost = (limit: number): Aim => ({ text: `<= ${limit}`, isMet: (value) => value <= limit });
export const below = (limit: number): Aim => ({ text: `< ${limit}`, isMet: (value) => value < limit });

/** The rows of a run of the bench, and how long it may take for them. */
export class Table {
  readonly rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
  readonly seconds = Number(process.env['BENCH_SECONDS'] ?? 1);
  readonly #rows: Row[] = [];

  add(name: string, value: number, unit: string, aim?: Aim): void {
    const met = aim === undefined ? null : aim.isMet(value);
    this.#rows.push({ name, value: Number(value.toPrecision(4)), unit, aim: aim?.text ?? '', met });
  }

  skip(name: string, reason: string): void {
    this.#rows.push({ name, value: null, unit: '', aim: '', met: null, skipped: reason });
  }

  /** Writes the rows to reports/bench.json and to standard output. */
  print(): void {
    mkdirSync('reports', { recursive: true });
    writeFileSync('reports/bench.json', `${JSON.stringify(this.#rows, null, 2)}\n`);
    console.log(
      `Node ${process.version}, ${this.rounds} rounds of ${this.seconds} s each, interleaved; medians. Only ratios of one run mean anything.`,
    );
    const width = Math.max(...this.#rows.map((row) => row.name.length));
    for (const { name, value, unit, aim, met, skipped } of this.#rows) {
      const verdict = met === null ? '' : met ? `aim ${aim}: met` : `aim ${aim}: MISSED`;
      const figure = `${String(value ?? '-').padStart(8)} ${unit.padEnd(4)}`;
      console.log(
        `${name.padEnd(width)}  ${figure} ${skipped === undefined ? verdict : `skipped: ${skipped}`}`,
      );
    }
  }
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** The smallest value that so large a share of all does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
