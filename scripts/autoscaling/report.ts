import type { AutoscalerSettings } from './autoscaler.js';
import { type Moment, type PodFigures, type Scenario, simulate } from './cluster.js';
import { readSettings } from './settings.js';

/** From the beginning of the spike. */
const seconds = 600;
const rampSeconds = 60;
const factor = 10;
const podStarts = [5, 30, 120];
const offsets = [0, 5, 10];

interface Summary {
  readonly before: number;
  readonly most: number;
  readonly refused: number;
  readonly worst: number;
  readonly calmAt: number | undefined;
}

/** The worst result over the offsets of metrics-server and the controller. */
function worstOf(scenario: Omit<Scenario, 'scrapeOffset' | 'syncOffset'>): Summary {
  const all = offsets.flatMap((scrapeOffset) =>
    offsets.map((syncOffset) => summarize(simulate({ ...scenario, scrapeOffset, syncOffset }))),
  );
  return all.reduce((worst, it) => (it.refused > worst.refused ? it : worst));
}

function summarize(moments: readonly Moment[]): Summary {
  const sum = (pick: (moment: Moment) => number) => moments.reduce((total, it) => total + pick(it), 0);
  const refusedAt = ({ perSecond, answered }: Moment) => 1 - answered / perSecond;
  const last = moments.findLast((it) => refusedAt(it) > 0.001);
  return {
    before: moments[0]?.pods ?? 0,
    most: Math.max(...moments.map(({ pods }) => pods)),
    refused: 1 - sum(({ answered }) => answered) / sum(({ perSecond }) => perSecond),
    worst: Math.max(...moments.map(refusedAt)),
    calmAt: last === undefined ? 0 : last.second + 1 === seconds ? undefined : last.second + 1,
  };
}

/** A Markdown table of spikes to ten times the load within a minute, for several loads and start times of pods. */
export function describeSpikes(pod: PodFigures, changes: Partial<AutoscalerSettings> = {}): string {
  const { autoscaler, limitCores } = readSettings();
  const perCore = 1_000 / pod.answerMs;
  const rows = [0.2, 0.35, 0.7].flatMap((baseCores) =>
    podStarts.map((podStartSeconds) => {
      const { before, most, refused, worst, calmAt } = worstOf({
        autoscaler: { ...autoscaler, ...changes },
        pod,
        limitCores,
        podStartSeconds,
        basePerSecond: baseCores * perCore,
        peakPerSecond: factor * baseCores * perCore,
        rampSeconds,
        seconds,
      });
      const load = `${toCount(baseCores * perCore)} → ${toCount(factor * baseCores * perCore)}`;
      const cores = `${baseCores} → ${toCount(factor * baseCores * 10) / 10}`;
      const calm = calmAt === undefined ? 'never' : calmAt === 0 ? 'none' : `${calmAt} s`;
      return [
        load,
        cores,
        `${podStartSeconds} s`,
        `${before} → ${most}`,
        toPercent(refused),
        toPercent(worst),
        calm,
      ];
    }),
  );
  const head = [
    'requests a second',
    'cores',
    'pod start',
    'pods',
    'refused in 10 min',
    'in the worst second',
    'none refused after',
  ];
  const widths = head.map((text, k) =>
    Math.max(text.length, ...rows.map((row) => (row[k] as string).length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, k) => cell.padEnd(widths[k] as number)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

const toCount = (value: number) => Math.round(value);
const toPercent = (share: number) => `${(100 * share).toFixed(1)} %`;
