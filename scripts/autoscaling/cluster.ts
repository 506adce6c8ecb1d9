import { Autoscaler, type AutoscalerSettings } from './autoscaler.js';

/** Measured by `measure.ts`. */
export interface PodFigures {
  /** CPU time per answered request, and per refused request. */
  readonly answerMs: number;
  readonly refusalMs: number;
}

export interface Scenario {
  readonly autoscaler: AutoscalerSettings;
  readonly pod: PodFigures;
  readonly limitCores: number;
  /** From the autoscaler's decision to the first request: scheduling, image, start, readiness, endpoints. */
  readonly podStartSeconds: number;
  /** Requests per second before the spike, and at its peak. */
  readonly basePerSecond: number;
  readonly peakPerSecond: number;
  readonly rampSeconds: number;
  readonly seconds: number;
  /** When metrics-server and the controller act within their periods: in a real cluster this is random. */
  readonly scrapeOffset: number;
  readonly syncOffset: number;
}

export interface Moment {
  readonly second: number;
  readonly perSecond: number;
  readonly answered: number;
  /** Running pods, and those of them that are ready. */
  readonly pods: number;
  readonly ready: number;
}

interface SimulatedPod {
  readonly startedAt: number;
  readonly readyAt: number;
  usage?: { cores: number; at: number; windowSeconds: number };
  coreSeconds: number;
  coreSecondsAtScrape: number | undefined;
}

/** Periods of metrics-server (--metric-resolution) and of the controller (--horizontal-pod-autoscaler-sync-period). */
const scrapeSeconds = 15;
const syncSeconds = 15;
/** The simulation starts long before the spike, with pods that have been ready for 10 minutes. */
const settledAt = -600;

/** Simulates each second: the requests, the answers, the pods. The spike begins at second 0. */
export function simulate(scenario: Scenario): readonly Moment[] {
  const { autoscaler: settings, pod: figures, limitCores, podStartSeconds } = scenario;
  const autoscaler = new Autoscaler(settings);
  const perPodAtTarget = (settings.targetUtilization * settings.requestCores * 1_000) / figures.answerMs;
  const steady = Math.ceil(scenario.basePerSecond / perPodAtTarget - 1e-9);
  let pods: SimulatedPod[] = Array.from(
    { length: Math.min(Math.max(steady, settings.minReplicas), settings.maxReplicas) },
    () => newPod(settledAt - 600, 0),
  );
  const moments: Moment[] = [];
  for (let second = settledAt; second < scenario.seconds; second += 1) {
    const perSecond = loadAt(scenario, second);
    const ready = pods.filter(({ readyAt }) => readyAt <= second);
    const { answered, cores } = shareOf(perSecond / ready.length, figures, limitCores);
    for (const pod of ready) pod.coreSeconds += cores;
    if (isDue(second, scrapeSeconds, scenario.scrapeOffset)) for (const pod of pods) scrape(pod, second);
    if (isDue(second, syncSeconds, scenario.syncOffset)) {
      const observed = pods.map((pod) => ({
        ...pod,
        readyAt: pod.readyAt <= second ? pod.readyAt : undefined,
      }));
      const replicas = autoscaler.decide(observed, pods.length, second);
      // The youngest pods are removed first.
      pods = pods.slice(0, replicas);
      while (pods.length < replicas) pods.push(newPod(second, podStartSeconds));
    }
    if (second >= 0)
      moments.push({
        second,
        perSecond,
        answered: answered * ready.length,
        pods: pods.length,
        ready: ready.length,
      });
  }
  return moments;
}

const newPod = (startedAt: number, startSeconds: number): SimulatedPod => ({
  startedAt,
  readyAt: startedAt + startSeconds,
  coreSeconds: 0,
  coreSecondsAtScrape: undefined,
});

/** The first usage of a pod needs two scrapes: it is the mean between them. */
function scrape(pod: SimulatedPod, second: number): void {
  if (pod.coreSecondsAtScrape !== undefined) {
    const cores = (pod.coreSeconds - pod.coreSecondsAtScrape) / scrapeSeconds;
    pod.usage = { cores, at: second, windowSeconds: scrapeSeconds };
  }
  pod.coreSecondsAtScrape = pod.coreSeconds;
}

function loadAt({ basePerSecond, peakPerSecond, rampSeconds }: Scenario, second: number): number {
  const share = Math.min(Math.max(second / rampSeconds, 0), 1);
  return basePerSecond + share * (peakPerSecond - basePerSecond);
}

/** The answers per second and the cores of one pod. Above its limit it refuses requests, which also takes CPU time. */
function shareOf(perSecond: number, { answerMs, refusalMs }: PodFigures, limitCores: number) {
  const limitMs = limitCores * 1_000;
  if (perSecond * answerMs <= limitMs) return { answered: perSecond, cores: (perSecond * answerMs) / 1_000 };
  const answered = Math.max(0, (limitMs - perSecond * refusalMs) / (answerMs - refusalMs));
  return { answered, cores: limitCores };
}

const isDue = (second: number, period: number, offset: number) =>
  (((second - offset) % period) + period) % period === 0;
