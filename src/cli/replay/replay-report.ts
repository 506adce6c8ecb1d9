import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { group } from '../batch/progress-report.js';
import { printable, toTable } from '../terminal/terminal-text.js';
import { type LineChoice, skipReasons } from './choose-lines.js';
import type { ChangedRow, Comparison } from './comparison.js';
import type { ReplayPlan } from './replay-plan.js';
import type { SpreadSummary } from './spread.js';

export interface ReplayReport {
  readonly model: string;
  readonly candidate: string;
  readonly baseline: string | null;
  readonly task: string;
  readonly rows: number;
  /** Lines that were not replayed, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly agreement: number;
  readonly disagreement: number;
  readonly max_disagreement: number;
  readonly passed: boolean;
  readonly changed: number;
  /** Rows that the candidate does not answer; they are among the changed ones. */
  readonly failed: number;
  /** Of a classification. */
  readonly confusion?: readonly { readonly old: unknown; readonly new: unknown; readonly rows: number }[];
  /** |new − old|: of the probability of the old decision, or of the number of a regression. */
  readonly difference: SpreadSummary | null;
  readonly tolerance?: number;
  readonly latency_ms: {
    /** As logged: the whole time in the server. */
    readonly logged: SpreadSummary | null;
    /** Of the candidate here, one row at a time. */
    readonly candidate: SpreadSummary | null;
  };
  readonly rows_per_second: number;
  readonly examples: readonly ChangedRow[];
}

const maxConfusionRows = 20;
const maxCell = 60;

export function toReport(
  plan: ReplayPlan,
  { name, version, manifest }: LoadedVersion,
  { skipped }: LineChoice,
  comparison: Comparison,
  candidateMs: SpreadSummary | undefined,
  seconds: number,
): ReplayReport {
  const { rows, changed, failed, confusion } = comparison;
  const isRegression = manifest.task === 'regression';
  const pairs = [...confusion].flatMap(([before, counts]) =>
    [...counts].map(([after, count]) => ({ old: JSON.parse(before), new: JSON.parse(after), rows: count })),
  );
  return {
    model: name,
    candidate: version,
    baseline: plan.baseline ?? null,
    task: manifest.task,
    rows,
    skipped: Object.fromEntries(skipped),
    agreement: (rows - changed) / rows,
    disagreement: changed / rows,
    max_disagreement: plan.maxDisagreement,
    passed: changed / rows <= plan.maxDisagreement,
    changed,
    failed,
    ...(!isRegression && { confusion: pairs.sort((a, b) => b.rows - a.rows) }),
    difference: comparison.differences.summarize() ?? null,
    ...(isRegression && { tolerance: plan.tolerance }),
    latency_ms: { logged: comparison.loggedMs.summarize() ?? null, candidate: candidateMs ?? null },
    rows_per_second: Math.round(rows / Math.max(0.001, seconds)),
    examples: comparison.examples,
  };
}

/** The report as tables for people. */
export function toText(report: ReplayReport): string {
  const { rows, changed, failed, difference, latency_ms: latency } = report;
  const isRegression = report.task === 'regression';
  const beyond = isRegression ? ` beyond the tolerance of ${report.tolerance}` : '';
  const facts: (readonly string[])[] = [
    ['rows', group(rows)],
    ['agreement', `${percent(report.agreement)} (${group(rows - changed)} rows)`],
    [
      'changed',
      `${percent(report.disagreement)} (${group(changed)} rows${beyond}), at most ${percent(report.max_disagreement)}: ${report.passed ? 'passed' : 'FAILED'}`,
    ],
    ...(failed > 0 ? [['failed', `${group(failed)} rows that the candidate does not answer`]] : []),
    [isRegression ? 'difference' : 'change of probability', describe(difference)],
    ['latency as logged', describe(latency.logged, ' ms')],
    ['latency of the candidate', `${describe(latency.candidate, ' ms')}, one row at a time`],
    ['speed', `${group(report.rows_per_second)} rows/s`],
  ];
  const parts = [
    `${report.model}: ${report.candidate} against ${report.baseline ?? 'the logged answers'}`,
    toTable(facts),
    ...listSkipped(report),
    ...tabulateConfusion(report),
    ...tabulateExamples(report),
  ];
  return `${parts.join('\n\n')}\n`;
}

function listSkipped({ skipped }: ReplayReport): readonly string[] {
  const entries = Object.entries(skipped);
  if (entries.length === 0) return [];
  const lines = entries.map(([reason, count]) => [
    `  ${group(count)}`,
    skipReasons[reason as keyof typeof skipReasons],
  ]);
  return [`not replayed:\n${toTable(lines, [0])}`];
}

function tabulateConfusion({ confusion = [] }: ReplayReport): readonly string[] {
  const differing = confusion.filter((it) => it.old !== it.new);
  if (differing.length === 0) return [];
  const lines = differing
    .slice(0, maxConfusionRows)
    .map((it) => [`  ${cell(it.old)}`, '→', cell(it.new), group(it.rows)]);
  const others = differing.length - lines.length;
  const more = others > 0 ? `\n  and ${group(others)} other pairs, with --json` : '';
  return [`changed decisions:\n${toTable(lines, [3])}${more}`];
}

function tabulateExamples({ examples }: ReplayReport): readonly string[] {
  if (examples.length === 0) return [];
  const lines = examples.map((it) => [
    `  ${printable(it.prediction_id, maxCell)}`,
    withProbability(it.old, it.old_probability),
    '→',
    it.error === undefined ? withProbability(it.new, it.new_probability) : printable(it.error, maxCell),
    cell(it.request),
  ]);
  return [`examples (--json has their whole requests):\n${toTable(lines)}`];
}

function withProbability(value: unknown, probability: unknown): string {
  return typeof probability === 'number' ? `${cell(value)} (${probability.toFixed(3)})` : cell(value);
}

function cell(value: unknown): string {
  return printable(JSON.stringify(value) ?? '', maxCell);
}

function describe(spread: SpreadSummary | null, unit = ''): string {
  if (spread === null) return 'unknown';
  const { mean, p50, p99, max } = spread;
  const [a, b, c, d] = [mean, p50, p99, max].map((it) => `${Number(it.toPrecision(3))}${unit}`);
  return `mean ${a}, p50 ${b}, p99 ${c}, max ${d}`;
}

/** Four digits, so that a single row of ten thousand is visible. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}
