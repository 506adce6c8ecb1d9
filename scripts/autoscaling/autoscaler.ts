/** A HorizontalPodAutoscaler on CPU use, and the settings of its controller with their defaults. */
export interface AutoscalerSettings {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** A share of `requestCores`: 0.7 for 70 %. */
  readonly targetUtilization: number;
  readonly requestCores: number;
  /** --horizontal-pod-autoscaler-tolerance, 0.1. */
  readonly tolerance: number;
  /** --horizontal-pod-autoscaler-cpu-initialization-period, 300 s. */
  readonly cpuInitializationSeconds: number;
  /** --horizontal-pod-autoscaler-initial-readiness-delay, 30 s. */
  readonly initialReadinessSeconds: number;
  readonly scaleUp: ScalingRules;
  readonly scaleDown: ScalingRules;
}

export interface ScalingRules {
  readonly stabilizationWindowSeconds: number;
  readonly policies: readonly {
    readonly type: string;
    readonly value: number;
    readonly periodSeconds: number;
  }[];
}

/** A pod as the controller sees it, in seconds of the simulation. */
export interface ObservedPod {
  readonly startedAt: number;
  /** Undefined until it is ready. */
  readonly readyAt: number | undefined;
  /** From metrics-server: the mean cores over a window that ends at `at`. */
  readonly usage?:
    | { readonly cores: number; readonly at: number; readonly windowSeconds: number }
    | undefined;
}

interface Change {
  readonly at: number;
  readonly replicas: number;
}

/**
 * Decides as the controller of Kubernetes does (`replica_calculator.go` and `horizontal.go`, described at
 * kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale). First comes the ratio of usage to target
 * with its tolerance; pods that are not ready or have no usage are counted so that the change is smaller. Then come the
 * stabilization windows, the policies and the bounds. Of several policies the one with the largest change applies, the
 * default of `selectPolicy`.
 */
export class Autoscaler {
  readonly #settings: AutoscalerSettings;
  #recommendations: Change[] = [];
  #changes: Change[] = [];

  constructor(settings: AutoscalerSettings) {
    this.#settings = settings;
  }

  /** Returns the new number of replicas. `replicas` is the current one. */
  decide(pods: readonly ObservedPod[], replicas: number, now: number): number {
    const wanted = this.#recommend(pods, replicas, now);
    const stable = this.#stabilize(wanted, replicas, now);
    const next = this.#limit(stable, replicas, now);
    if (next !== replicas) this.#changes.push({ at: now, replicas: next - replicas });
    return next;
  }

  #recommend(pods: readonly ObservedPod[], replicas: number, now: number): number {
    const { targetUtilization, requestCores, tolerance } = this.#settings;
    const unready = pods.filter((pod) => this.#isIgnored(pod, now));
    const counted = pods.filter((pod) => !unready.includes(pod));
    const measured = counted.filter(({ usage }) => usage !== undefined);
    const missing = counted.length - measured.length;
    if (measured.length === 0) return replicas;
    const used = measured.reduce((sum, { usage }) => sum + (usage?.cores ?? 0), 0);
    const ratioOf = (cores: number, count: number) => cores / (count * requestCores * targetUtilization);
    const ratio = ratioOf(used, measured.length);
    const isUp = ratio > 1;
    if (missing === 0 && !(isUp && unready.length > 0)) {
      return isNear(ratio, tolerance) ? replicas : ceil(ratio * counted.length);
    }
    // A pod without usage counts as 0 cores when scaling up, and as its whole request when scaling down.
    const count = measured.length + missing + (isUp ? unready.length : 0);
    const careful = ratioOf(used + (isUp ? 0 : missing * requestCores), count);
    if (isNear(careful, tolerance) || careful > 1 !== isUp) return replicas;
    const next = ceil(careful * count);
    return isUp ? Math.max(next, replicas) : Math.min(next, replicas);
  }

  /** Whether the usage of a pod is not valid yet: the pod is not ready, or was not for the whole window. */
  #isIgnored({ startedAt, readyAt, usage }: ObservedPod, now: number): boolean {
    const { cpuInitializationSeconds, initialReadinessSeconds } = this.#settings;
    if (startedAt + cpuInitializationSeconds > now)
      return readyAt === undefined || (usage !== undefined && usage.at < readyAt + usage.windowSeconds);
    return readyAt === undefined && startedAt + initialReadinessSeconds > now;
  }

  /** The smallest change that was recommended within the window of the direction. */
  #stabilize(wanted: number, replicas: number, now: number): number {
    const { scaleUp, scaleDown } = this.#settings;
    this.#recommendations.push({ at: now, replicas: wanted });
    const within = (seconds: number) =>
      this.#recommendations.filter(({ at }) => at > now - seconds).map((it) => it.replicas);
    const up = Math.min(wanted, ...within(scaleUp.stabilizationWindowSeconds));
    const down = Math.max(wanted, ...within(scaleDown.stabilizationWindowSeconds));
    return Math.min(Math.max(replicas, up), down);
  }

  #limit(wanted: number, replicas: number, now: number): number {
    const { minReplicas, maxReplicas, scaleUp, scaleDown } = this.#settings;
    const changed = (seconds: number) =>
      this.#changes.filter(({ at }) => at > now - seconds).reduce((sum, it) => sum + it.replicas, 0);
    const maxima = scaleUp.policies.map(({ type, value, periodSeconds }) => {
      const before = replicas - changed(periodSeconds);
      return type === 'Pods' ? before + value : ceil(before * (1 + value / 100));
    });
    const minima = scaleDown.policies.map(({ type, value, periodSeconds }) => {
      const before = replicas - changed(periodSeconds);
      return type === 'Pods' ? before - value : Math.floor(before * (1 - value / 100));
    });
    const upper = Math.min(maxReplicas, Math.max(replicas, ...maxima));
    const lower = Math.max(minReplicas, Math.min(replicas, ...minima));
    return Math.min(Math.max(wanted, lower), upper);
  }
}

const isNear = (ratio: number, tolerance: number) => Math.abs(1 - ratio) <= tolerance + 1e-9;
/** Rounds up, but ignores the rounding error of a product. */
const ceil = (value: number) => Math.ceil(value - 1e-9);
