import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  Autoscaler,
  type AutoscalerSettings,
  type ObservedPod,
} from '../../scripts/autoscaling/autoscaler.js';
import { simulate } from '../../scripts/autoscaling/cluster.js';
import { describeSpikes } from '../../scripts/autoscaling/report.js';
import { readSettings } from '../../scripts/autoscaling/settings.js';

const { autoscaler: settings } = readSettings();
const longAgo = -10_000;

/** A pod that has run for a long time, with its CPU use in millicores; undefined if it has no usage. */
const podOf = (millicores?: number, isReady = true): ObservedPod => ({
  startedAt: longAgo,
  readyAt: isReady ? longAgo : undefined,
  usage: millicores === undefined ? undefined : { cores: millicores / 1_000, at: 0, windowSeconds: 15 },
});
/** A pod that has just started: its usage is that of its start. */
const hot = (millicores: number, isReady = true): ObservedPod => ({
  startedAt: -10,
  readyAt: isReady ? -2 : undefined,
  usage: { cores: millicores / 1_000, at: 0, windowSeconds: 15 },
});

/** Without bounds, windows and policies: only the recommendation. */
const bare = (targetUtilization: number, more: Partial<AutoscalerSettings> = {}): AutoscalerSettings => ({
  ...settings,
  minReplicas: 1,
  maxReplicas: 1_000,
  requestCores: 1,
  targetUtilization,
  scaleUp: {
    stabilizationWindowSeconds: 0,
    policies: [{ type: 'Percent', value: 100_000, periodSeconds: 15 }],
  },
  scaleDown: {
    stabilizationWindowSeconds: 0,
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  },
  ...more,
});

/** Cases and numbers from the controller's own tests, `replica_calculator_test.go`. */
const cases: readonly [title: string, target: number, pods: readonly ObservedPod[], expected: number][] = [
  ['all pods above the target', 0.3, [podOf(300), podOf(500), podOf(700)], 5],
  ['one pod is starting', 0.3, [hot(300, false), podOf(500), podOf(700)], 4],
  ['one pod has just started', 0.3, [hot(300), podOf(500), podOf(700)], 4],
  ['two pods are starting', 0.3, [podOf(400), hot(500, false), hot(700, false)], 3],
  ['one pod without usage, below the target', 1, [podOf(600), podOf()], 2],
  ['one pod without usage, one starting, near the target', 0.5, [hot(100, false), podOf(450), podOf()], 3],
  ['one pod without usage, one starting, above the target', 0.5, [hot(100, false), podOf(2_000), podOf()], 4],
];

describe('the recommendation is that of the controller', () => {
  test.each(cases)('%s', (_, target, pods, expected) => {
    expect(new Autoscaler(bare(target)).decide(pods, pods.length, 0)).toBe(expected);
  });

  test.each([
    [1_090, 4],
    [1_110, 5],
    [910, 4],
    [490, 2],
  ])('4 pods at %d thousandths of the target become %d', (used, expected) => {
    const pods = Array.from({ length: 4 }, () => podOf(used));
    expect(new Autoscaler(bare(1)).decide(pods, 4, 0)).toBe(expected);
  });
});

describe('the behaviour of k8s/base', () => {
  const loaded = (count: number, millicores: number) =>
    Array.from({ length: count }, () => podOf(millicores));

  test('doubles, or adds 4, within 15 s, and never goes over 10', () => {
    const autoscaler = new Autoscaler(settings);
    expect(autoscaler.decide(loaded(2, 1_000), 2, 0)).toBe(6);
    // Within the same 15 s the pods that were added count.
    expect(autoscaler.decide(loaded(6, 1_000), 6, 10)).toBe(6);
    expect(autoscaler.decide(loaded(6, 1_000), 6, 15)).toBe(10);
    expect(autoscaler.decide(loaded(10, 1_000), 10, 60)).toBe(10);
  });

  test('removes one pod per minute, from 5 minutes after the last need on, and leaves 2', () => {
    const autoscaler = new Autoscaler(settings);
    expect(autoscaler.decide(loaded(5, 350), 5, 0)).toBe(5);
    const counts: number[] = [];
    let replicas = 5;
    for (let now = 15; now <= 900; now += 15) {
      replicas = autoscaler.decide(loaded(replicas, 10), replicas, now);
      counts.push(replicas);
    }
    expect(counts.slice(0, 19)).toEqual(Array(19).fill(5));
    expect([...new Set(counts)]).toEqual([5, 4, 3, 2]);
    expect(counts.filter((it) => it === 4)).toHaveLength(4);
  });
});

describe('a spike', () => {
  const scenario = {
    autoscaler: settings,
    limitCores: 1,
    pod: { answerMs: 5, refusalMs: 0.1 },
    podStartSeconds: 5,
    basePerSecond: 100,
    peakPerSecond: 1_000,
    rampSeconds: 60,
    seconds: 600,
    scrapeOffset: 0,
    syncOffset: 5,
  };

  test('is never answered beyond the requests, nor beyond the capacity of the ready pods', () => {
    for (const { perSecond, answered, pods, ready } of simulate(scenario)) {
      expect(answered).toBeLessThanOrEqual(perSecond + 1e-9);
      expect(answered).toBeLessThanOrEqual(ready * 200 + 1e-9);
      expect(ready).toBeLessThanOrEqual(pods);
    }
  });

  test('whose peak equals the base load changes nothing', () => {
    const moments = simulate({ ...scenario, peakPerSecond: 100 });
    expect(new Set(moments.map(({ pods }) => pods))).toEqual(new Set([2]));
    expect(moments.every(({ answered }) => Math.abs(answered - 100) < 1e-9)).toBe(true);
  });

  test('of twice the capacity of 10 pods is refused in part for ever', () => {
    const last = simulate({ ...scenario, peakPerSecond: 4_000 }).at(-1);
    expect(last?.ready).toBe(10);
    // 10 cores minus the cost of refusals.
    expect(last?.answered).toBeCloseTo((10_000 - 4_000 * 0.1) / (5 - 0.1), 6);
  });
});

test('docs/kubernetes.md has the tables that `npm run autoscaling` prints for its figures', () => {
  const page = readFileSync('docs/kubernetes.md', 'utf8');
  const [, command = ''] = /^npm run autoscaling -- (.*)$/m.exec(page) ?? [];
  const [answerMs = 0, refusalMs = 0] = [...command.matchAll(/-ms ([\d.]+)/g)].map(([, it]) => Number(it));
  expect(answerMs * refusalMs).toBeGreaterThan(0);
  const pod = { answerMs, refusalMs };
  expect(page).toContain(describeSpikes(pod));
  expect(page).toContain(describeSpikes(pod, { minReplicas: 4 }));
});
