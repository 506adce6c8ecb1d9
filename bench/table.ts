import { mkdirSync, writeFileSync } from 'node:fs';

/** The aim of a row: its text, and the test of the figure. */
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

/** The rows of one run, and the number and length of its rounds. */
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
      `Node ${process.version}, ${this.rounds} rounds of ${this.seconds} s each, interleaved; medians. Compare figures only within one run.`,
    );
    const width = Math.max(...this.#rows.map((row) => row.name.length));
    for (const { name, value, unit, aim, met, skipped } of this.#rows) {
      const result = met === null ? '' : met ? `aim ${aim}: met` : `aim ${aim}: MISSED`;
      const figure = `${String(value ?? '-').padStart(8)} ${unit.padEnd(4)}`;
      console.log(
        `${name.padEnd(width)}  ${figure} ${skipped === undefined ? result : `skipped: ${skipped}`}`,
      );
    }
  }
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** The smallest value that the given share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
