import type { LoggedPrediction, LogLine } from '../logs/log-lines.js';
import { isWithin } from '../logs/time-range.js';
import type { ReplayPlan } from './replay-plan.js';

/** Why a line is not replayed. The texts are those of the report. */
export const skipReasons = {
  cut: 'the last line of a file, which is cut',
  broken: 'lines that are no JSON, too long, or nested too deeply',
  other: 'lines that are no prediction',
  model: 'predictions of other models',
  version: 'predictions of other versions than the baseline',
  time: 'predictions outside --since and --until',
  failed: 'predictions that failed',
  redacted: 'requests with features that the log leaves out, hashes or masks',
  request: 'requests that the log does not have, since they are too long or hold tensors',
  answer: 'answers that the log does not have, since they are too long or hold tensors',
} as const;

export type SkipReason = keyof typeof skipReasons;

export interface ReplayableLine extends LoggedPrediction {
  readonly request: Readonly<Record<string, unknown>>;
}

/** Decides which lines are replayed, and counts the others by reason. */
export class LineChoice {
  readonly #plan: ReplayPlan;
  readonly #model: string;
  readonly #baseline: string | undefined;
  readonly skipped = new Map<SkipReason, number>();
  readonly otherModels = new Set<string>();
  readonly redactedFeatures = new Set<string>();

  /** `model` and `baseline` are names of the registry, and no aliases. */
  constructor(plan: ReplayPlan, model: string, baseline: string | undefined) {
    this.#plan = plan;
    this.#model = model;
    this.#baseline = baseline;
  }

  accepts(line: LogLine): line is ReplayableLine {
    const reason = this.#findReason(line);
    if (reason === undefined) return true;
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1);
    return false;
  }

  #findReason(line: LogLine): SkipReason | undefined {
    if (typeof line === 'string') return line;
    if (line.model !== this.#model) {
      if (this.otherModels.size < maxListed) this.otherModels.add(line.model);
      return 'model';
    }
    if (this.#baseline !== undefined && line.model_version !== this.#baseline) return 'version';
    if (!isWithin(line.time, this.#plan)) return 'time';
    if (line.status !== 'ok') return 'failed';
    if (Array.isArray(line.redacted) && line.redacted.length > 0) {
      for (const name of line.redacted.slice(0, maxListed)) {
        if (this.redactedFeatures.size < maxListed) this.redactedFeatures.add(String(name));
      }
      return 'redacted';
    }
    if (typeof line.request !== 'object' || line.request === null) return 'request';
    return line.prediction === undefined ? 'answer' : undefined;
  }
}

const maxListed = 10;
