import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { AutoscalerSettings } from './autoscaler.js';

/** The autoscaler of `k8s/base` with the controller's defaults, and the CPU limit of a pod in cores. */
export function readSettings(): { readonly autoscaler: AutoscalerSettings; readonly limitCores: number } {
  const { spec } = parse(readFileSync('k8s/base/horizontal-pod-autoscaler.yaml', 'utf8'));
  const [container] = parse(readFileSync('k8s/base/deployment.yaml', 'utf8'), { merge: true }).spec.template
    .spec.containers;
  const coresOf = (text: string) => Number(text.replace(/m$/, '')) / 1_000;
  return {
    autoscaler: {
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      targetUtilization: spec.metrics[0].resource.target.averageUtilization / 100,
      requestCores: coresOf(container.resources.requests.cpu),
      tolerance: 0.1,
      cpuInitializationSeconds: 300,
      initialReadinessSeconds: 30,
      scaleUp: spec.behavior.scaleUp,
      scaleDown: spec.behavior.scaleDown,
    },
    limitCores: coresOf(container.resources.limits.cpu),
  };
}
