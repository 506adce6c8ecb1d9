import { ServiceError } from '../../errors.js';
import { describeRowError } from '../../text/row-error.js';
import { printable } from '../terminal/terminal-text.js';
import type { ResumePoint } from './output/resume-file.js';
import type { OutputRow } from './rows/batch-row.js';

const maxListed = 10;
const maxCharacters = 300;

/** Counts the rows that have failed, and keeps the first reasons. */
export class Failures {
  #count: number;
  readonly #reasons: string[];

  constructor({ count, reasons }: ResumePoint['failures'] = { count: 0, reasons: [] }) {
    this.#count = count;
    this.#reasons = [...reasons];
  }

  get state(): ResumePoint['failures'] {
    return { count: this.#count, reasons: [...this.#reasons] };
  }

  add(rows: readonly OutputRow[]): void {
    for (const { index, outcome } of rows) {
      if (!(outcome instanceof ServiceError)) continue;
      this.#count += 1;
      if (this.#reasons.length === maxListed) continue;
      this.#reasons.push(`index ${index}: ${printable(describeRowError(outcome), maxCharacters)}`);
    }
  }

  /** One line for each reason, and what else there is. */
  describe(): readonly string[] {
    const others = this.#count - this.#reasons.length;
    const isUnknown = this.#reasons.some((it) => it.includes(' is not a feature of '));
    return [
      ...this.#reasons,
      ...(others > 0 ? [`and ${others.toLocaleString('en')} other rows`] : []),
      ...(isUnknown ? ['--keep carries members that are no features over to the output'] : []),
    ];
  }
}
