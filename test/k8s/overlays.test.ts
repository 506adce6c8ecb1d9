import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isLoopback, readAccessMode } from '../../src/auth/auth-mode.js';
import { readConfig } from '../../src/config/read-config.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { parseObjects, provideKustomize, render } from './kustomize.js';
import {
  type Container,
  findObject,
  type KubeObject,
  kindsOf,
  podOf,
  secretNamesOf,
  selects,
  settingsOf,
} from './objects.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const kustomize = provideKustomize();
const overlays = readdirSync('k8s/overlays');

/** Time after SHUTDOWN_DELAY_MS and SHUTDOWN_TIMEOUT_MS until the server kills itself (docs/operations.md). */
const lastSeconds = 2;

/** Variables that are no settings: of Node.js, and parts of the URL of Redis. */
const partsOfOthers = ['TMPDIR', 'REDIS_PASSWORD', 'REDIS_HOST'];

if (kustomize.missing !== undefined) {
  test.skip(`the overlays are right: ${kustomize.missing}`, () => undefined);
} else {
  describe.each(overlays)('k8s/overlays/%s', (overlay) => {
    const objects = parseObjects(render(kustomize.command, join('k8s/overlays', overlay)));
    const pod = podOf(objects);
    const [server] = pod.containers as [Container];
    const settings = settingsOf(objects);
    const config = readConfig(settings);

    test('runs the image of this version', () => {
      expect(server.image).toBe(`sardonyx:${version}`);
    });

    test('sets only known variables, to values that the server accepts', () => {
      const unknown = Object.keys(settings).filter(
        (name) => !partsOfOthers.includes(name) && !(name in ConfigSchema.properties),
      );
      expect(unknown).toEqual([]);
      expect(() => readAccessMode(config)).not.toThrow();
    });

    test('listens on all addresses, at the port that the container declares', () => {
      expect(isLoopback(config.HOST)).toBe(false);
      expect(server.ports).toEqual([{ name: 'http', containerPort: config.PORT }]);
    });

    test('mounts the paths of the settings, and nothing else', () => {
      const volumes = pod.volumes.map(({ name }) => name).sort();
      const mounts = [...pod.containers, ...(pod.initContainers ?? [])].flatMap(
        ({ volumeMounts = [] }) => volumeMounts,
      );
      expect([...new Set(mounts.map(({ name }) => name))].sort()).toEqual(volumes);
      const mountAt = (path: string) => server.volumeMounts?.find(({ mountPath }) => mountPath === path);
      expect(mountAt(config.MODELS_DIR)).toMatchObject({ name: 'models', readOnly: true });
      expect(mountAt(settings['TMPDIR'] as string)).toEqual({ name: 'tmp', mountPath: '/tmp' });
      if (config.API_KEYS_FILE !== undefined) {
        const keys = mountAt(config.API_KEYS_FILE.replace(/\/keys\.json$/, ''));
        // A file mounted by subPath is never updated.
        expect(keys).toEqual({ name: 'keys', mountPath: '/etc/sardonyx', readOnly: true });
      } else expect(volumes).not.toContain('keys');
    });

    test('has a terminationGracePeriodSeconds that covers the shutdown of the settings', () => {
      const { seconds } = server['lifecycle'].preStop.sleep;
      const needed = seconds + (config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS) / 1_000 + lastSeconds;
      expect(seconds).toBeGreaterThan(0);
      expect(needed).toBeLessThan(pod.terminationGracePeriodSeconds);
    });

    test('probes /health/live for startup and liveness, and /health/ready for readiness', () => {
      expect(server['startupProbe'].httpGet).toEqual({ path: '/health/live', port: 'http' });
      expect(server['livenessProbe'].httpGet).toEqual({ path: '/health/live', port: 'http' });
      expect(server['readinessProbe'].httpGet).toEqual({ path: '/health/ready', port: 'http' });
    });

    test('requests 512Mi and 500m, and is limited to 1Gi and 1000m', () => {
      expect(server['resources']).toEqual({
        requests: { memory: '512Mi', cpu: '500m' },
        limits: { memory: '1Gi', cpu: '1000m' },
      });
    });

    test('gives each container only the rights that it needs', () => {
      for (const { metadata, spec } of objects.filter(({ kind }) => kind === 'Deployment')) {
        const { containers, initContainers = [], ...of } = spec.template.spec;
        expect(of.automountServiceAccountToken, metadata.name).toBe(false);
        expect(of.enableServiceLinks).toBe(false);
        expect(of.securityContext).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        for (const container of [...containers, ...initContainers]) {
          expect(container.securityContext, container.name).toEqual({
            allowPrivilegeEscalation: false,
            privileged: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          expect(container.resources.limits.memory, container.name).toBeDefined();
        }
      }
      expect(pod['securityContext']).toMatchObject({ runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 });
      expect(findObject(objects, 'ServiceAccount')).toMatchObject({ automountServiceAccountToken: false });
    });

    test('selects its own pods, and no workers of batch jobs', () => {
      const own = findObject(objects, 'Deployment').spec.template.metadata.labels;
      const worker = { ...own, 'app.kubernetes.io/component': 'worker' };
      const selectors = selectorsOf(objects);
      expect(Object.keys(selectors).length).toBeGreaterThanOrEqual(4);
      for (const [name, selector] of Object.entries(selectors)) {
        expect(selects(selector, own), name).toBe(true);
        expect(selects(selector, worker), name).toBe(false);
      }
    });

    test('spreads the pods of each revision over zones and nodes', () => {
      expect(
        pod['topologySpreadConstraints'].map(
          ({ topologyKey, matchLabelKeys }: { topologyKey: string; matchLabelKeys: string[] }) => [
            topologyKey,
            ...matchLabelKeys,
          ],
        ),
      ).toEqual([
        ['topology.kubernetes.io/zone', 'pod-template-hash'],
        ['kubernetes.io/hostname', 'pod-template-hash'],
      ]);
    });

    test('can be reached from outside only with keys', () => {
      const { spec } = findObject(objects, 'Service');
      expect(spec.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }]);
      const { mode } = readAccessMode(config);
      expect([spec.type, mode, config.METRICS_AUTH]).toEqual(
        overlay === 'dev' ? ['ClusterIP', 'open', 'open'] : ['LoadBalancer', 'keys', 'key'],
      );
      const [rule] = findObject(objects, 'NetworkPolicy').spec.ingress;
      expect(rule.ports).toEqual([{ protocol: 'TCP', port: config.PORT }]);
      expect(rule.from).toEqual(overlay === 'dev' ? [{ podSelector: {} }] : undefined);
    });

    test('contains no Secret, and refers only to known ones', () => {
      expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
      const needed: Readonly<Record<string, readonly string[]>> = {
        dev: [],
        production: ['sardonyx-keys'],
        'with-redis': ['sardonyx-keys', 'sardonyx-redis'],
      };
      expect(secretNamesOf(objects)).toEqual(needed[overlay]);
    });
  });

  const objectsOf = (overlay: string) =>
    parseObjects(render(kustomize.command, join('k8s/overlays', overlay)));

  test('production has 3 replicas, and an autoscaler from 2 to 10 at 70 % of the CPU request', () => {
    const objects = objectsOf('production');
    expect(kindsOf(objects)).toEqual([
      'ConfigMap/sardonyx',
      'Deployment/sardonyx',
      'HorizontalPodAutoscaler/sardonyx',
      'NetworkPolicy/sardonyx',
      'PodDisruptionBudget/sardonyx',
      'Service/sardonyx',
      'ServiceAccount/sardonyx',
    ]);
    const deployment = findObject(objects, 'Deployment');
    expect(deployment.spec.replicas).toBe(3);
    const { apiVersion, spec } = findObject(objects, 'HorizontalPodAutoscaler');
    expect([apiVersion, spec.minReplicas, spec.maxReplicas]).toEqual(['autoscaling/v2', 2, 10]);
    expect(spec.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'sardonyx' });
    expect(spec.metrics).toEqual([
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
      },
    ]);
    expect(findObject(objects, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
  });

  test('dev is one pod, without an autoscaler', () => {
    const objects = objectsOf('dev');
    expect(findObject(objects, 'Deployment').spec.replicas).toBe(1);
    expect(kindsOf(objects).join()).not.toMatch(/Autoscaler|Disruption/);
  });

  test('with-redis is production with a Redis that only its pods can reach', () => {
    const objects = objectsOf('with-redis');
    const more = kindsOf(objects).filter((kind) => !kindsOf(objectsOf('production')).includes(kind));
    expect(more).toEqual([
      'Deployment/sardonyx-redis',
      'NetworkPolicy/sardonyx-redis',
      'Service/sardonyx-redis',
    ]);
    const labels = (name: string) => findObject(objects, 'Deployment', name).spec.template.metadata.labels;
    const [to] = findObject(objects, 'NetworkPolicy').spec.egress[1].to;
    expect(selects(to.podSelector, labels('sardonyx-redis'))).toBe(true);
    expect(selects(to.podSelector, labels('sardonyx'))).toBe(false);
    const [{ from }] = findObject(objects, 'NetworkPolicy', 'sardonyx-redis').spec.ingress;
    expect(selects(from[0].podSelector, labels('sardonyx'))).toBe(true);
    // Workers of batch jobs may use it too.
    expect(
      selects(from[0].podSelector, { ...labels('sardonyx'), 'app.kubernetes.io/component': 'worker' }),
    ).toBe(true);
    expect(selects(from[0].podSelector, { 'app.kubernetes.io/name': 'other' })).toBe(false);
    const { spec } = findObject(objects, 'Service', 'sardonyx-redis');
    expect(settingsOf(objects)['REDIS_URL']).toBe(
      `redis://:$(REDIS_PASSWORD)@$(REDIS_HOST):${spec.ports[0].port}`,
    );
    expect(settingsOf(objects)['REDIS_HOST']).toBe('sardonyx-redis');
    // Kubernetes replaces $(NAME) only if NAME is defined before it.
    expect(podOf(objects).containers[0]?.env?.map(({ name }) => name)).toEqual([
      'REDIS_PASSWORD',
      'REDIS_HOST',
      'REDIS_URL',
    ]);
  });
}

/** All selectors for pods of the Deployment "sardonyx". */
function selectorsOf(objects: readonly KubeObject[]) {
  const selectors: Record<string, { matchLabels: Record<string, string> }> = {};
  for (const { kind, metadata, spec } of objects) {
    if (metadata.name !== 'sardonyx') continue;
    if (kind === 'Service') selectors[kind] = { matchLabels: spec.selector };
    else if (kind === 'NetworkPolicy') selectors[kind] = spec.podSelector;
    else if (spec?.selector) selectors[kind] = spec.selector;
    if (kind !== 'Deployment') continue;
    for (const { topologyKey, labelSelector } of spec.template.spec.topologySpreadConstraints)
      selectors[topologyKey] = labelSelector;
  }
  return selectors;
}
