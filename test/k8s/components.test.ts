import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bullPrefix, jobsPrefix, queueName } from '../../src/jobs/bullmq/scripts/script-parts.js';
import { parseObjects, provideKustomize, renderWith } from './kustomize.js';
import { findObject, kindsOf, podOf, selects, settingsOf } from './objects.js';

const kustomize = provideKustomize();
const components = readdirSync('k8s/components');

/** The source of models of each component, and its images. */
const sources: Readonly<Record<string, { source: string; images?: readonly string[] }>> = {
  'models-volume': { source: 'persistentVolumeClaim' },
  'models-image': { source: 'image' },
  'models-image-copy': { source: 'emptyDir', images: ['sardonyx-models:1'] },
  'models-download': { source: 'emptyDir', images: ['rclone/rclone:1.70.3'] },
};

if (kustomize.missing !== undefined) {
  test.skip(`the components are right: ${kustomize.missing}`, () => undefined);
} else {
  const objectsWith = (...names: string[]) => parseObjects(renderWith(kustomize.command, names));
  const base = kindsOf(objectsWith('models-image-copy'));

  test.each(Object.entries(sources))('%s is the only source of models', (name, { source, images = [] }) => {
    const pod = podOf(objectsWith(name));
    const volume = pod.volumes.find((it) => it.name === 'models');
    expect(Object.keys(volume ?? {}).sort()).toEqual([source, 'name'].sort());
    expect((pod.initContainers ?? []).map(({ image }) => image)).toEqual(images);
    for (const { volumeMounts = [] } of pod.initContainers ?? [])
      expect(volumeMounts.find((it) => it.name === 'models')?.readOnly ?? false).toBe(false);
  });

  test('all components with models are tested here', () => {
    expect(components.filter((name) => name.startsWith('models-')).sort()).toEqual(
      Object.keys(sources).sort(),
    );
  });

  const pairs = Object.keys(sources).flatMap((first) =>
    Object.keys(sources).flatMap((second) => (first === second ? [] : [[first, second] as const])),
  );
  test.each(pairs)('if %s is followed by %s, the second is the source of models', (first, second) => {
    expect(podOf(objectsWith(first, second))).toEqual(podOf(objectsWith(second)));
  });

  test('an overlay sets the name and tag of the image of models, for a volume and for an init container', () => {
    const images = 'images: [{ name: sardonyx-models, newName: registry.example.com/models, newTag: "7" }]';
    const podWith = (name: string) => podOf(parseObjects(renderWith(kustomize.command, [name], images)));
    const { image } = podWith('models-image').volumes.find((it) => it['image']) as { image?: unknown };
    expect(image).toEqual({ reference: 'registry.example.com/models:7', pullPolicy: 'IfNotPresent' });
    expect(podWith('models-image-copy').initContainers?.[0]?.image).toBe('registry.example.com/models:7');
  });

  test('models-download may connect to the storage, and no other component opens a way out', () => {
    const { egress } = findObject(objectsWith('models-download'), 'NetworkPolicy').spec;
    expect(
      egress.flatMap(({ ports }: { ports: { port: number }[] }) => ports.map(({ port }) => port)),
    ).toEqual([53, 53, 443]);
    expect(findObject(objectsWith('models-image'), 'NetworkPolicy').spec.egress).toEqual([]);
  });

  test.each([
    ['service-monitor', 'ServiceMonitor', 'endpoints'],
    ['pod-monitor', 'PodMonitor', 'podMetricsEndpoints'],
  ])('%s scrapes /metrics with a key, at an existing port', (name, kind, place) => {
    const objects = objectsWith('models-image-copy', name);
    const { spec } = findObject(objects, kind);
    expect(spec[place]).toEqual([
      {
        port: 'http',
        path: '/metrics',
        interval: '15s',
        scrapeTimeout: '5s',
        authorization: { type: 'Bearer', credentials: { name: 'sardonyx-metrics', key: 'key' } },
      },
    ]);
    const service = findObject(objects, 'Service');
    const pods = findObject(objects, 'Deployment').spec.template;
    const labels = kind === 'ServiceMonitor' ? service.metadata.labels : pods.metadata.labels;
    expect(selects(spec.selector, labels)).toBe(true);
    const ports = kind === 'ServiceMonitor' ? service.spec.ports : pods.spec.containers[0].ports;
    expect(ports.map((it: { name: string }) => it.name)).toContain('http');
  });

  test('keda replaces the HorizontalPodAutoscaler, with the same bounds', () => {
    const objects = objectsWith('models-image-copy', 'keda');
    expect(kindsOf(objects)).toEqual(
      base.map((it) => it.replace('HorizontalPodAutoscaler', 'ScaledObject')).sort(),
    );
    expect(findObject(objects, 'ScaledObject').spec).toMatchObject({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'sardonyx' },
      minReplicaCount: 2,
      maxReplicaCount: 10,
    });
  });

  test('a namePrefix of an overlay changes all references too', () => {
    const prefix = 'namePrefix: team-\nlabels: [{ pairs: { team: a }, includeSelectors: true }]';
    const objects = parseObjects(
      renderWith(kustomize.command, ['models-volume', 'redis', 'keda', 'service-monitor'], prefix),
    );
    const namesOf = (kind: string) => objects.filter((it) => it.kind === kind).map((it) => it.metadata.name);
    const { template } = findObject(objects, 'Deployment', 'team-sardonyx').spec;
    const { env } = template.spec.containers[0];
    const variable = (name: string) => env.find((it: { name: string }) => it.name === name).value;
    expect(namesOf('Service')).toContain(variable('REDIS_HOST'));
    expect(variable('REDIS_URL')).toBe('redis://:$(REDIS_PASSWORD)@$(REDIS_HOST):6379');
    expect(findObject(objects, 'ScaledObject', 'team-sardonyx').spec.scaleTargetRef.name).toBe(
      'team-sardonyx',
    );
    expect(namesOf('ServiceAccount')).toContain(template.spec.serviceAccountName);
    expect(namesOf('ConfigMap')).toContain(template.spec.containers[0].envFrom[0].configMapRef.name);
    const claims = template.spec.volumes.flatMap((it: { persistentVolumeClaim?: { claimName: string } }) =>
      it.persistentVolumeClaim === undefined ? [] : [it.persistentVolumeClaim.claimName],
    );
    expect(namesOf('PersistentVolumeClaim')).toEqual(claims);
    const service = findObject(objects, 'Service', 'team-sardonyx');
    const monitor = findObject(objects, 'ServiceMonitor', 'team-sardonyx');
    expect(selects(monitor.spec.selector, service.metadata.labels ?? {})).toBe(true);
    expect(selects({ matchLabels: service.spec.selector }, template.metadata.labels)).toBe(true);
  });

  test('replicas-by-hpa removes the number of replicas from the Deployment', () => {
    expect(findObject(objectsWith('models-image-copy'), 'Deployment').spec.replicas).toBe(3);
    expect(
      findObject(objectsWith('models-image-copy', 'replicas-by-hpa'), 'Deployment').spec,
    ).not.toHaveProperty('replicas');
  });

  describe('workers', () => {
    const objects = objectsWith('workers', 'models-image-copy', 'redis', 'workers-keda');
    const worker = findObject(objects, 'Deployment', 'sardonyx-worker').spec;
    const api = findObject(objects, 'Deployment').spec;

    test('have the image, the models, the settings and the Redis of the API, and run the command', () => {
      const [pod, other] = [worker.template.spec, api.template.spec];
      const [own, theirs] = [pod.containers[0], other.containers[0]];
      expect(own.args).toEqual(['dist/cli.js', 'worker']);
      expect(own.image).toBe(theirs.image);
      expect(pod.initContainers).toEqual(other.initContainers);
      expect(pod.volumes).toEqual(other.volumes);
      expect(own.volumeMounts).toEqual(theirs.volumeMounts);
      expect(own.envFrom).toEqual(theirs.envFrom);
      for (const variable of theirs.env) expect(own.env).toContainEqual(variable);
      expect(settingsOf(objects)['JOBS_WORK']).toBe('off');
      expect(own.securityContext).toEqual(theirs.securityContext);
      expect(pod.securityContext).toEqual(other.securityContext);
    });

    test('get no requests, do not count for the autoscaler of the API, and reach Redis', () => {
      const labels = worker.template.metadata.labels;
      expect(selects(worker.selector, labels)).toBe(true);
      expect(selects(api.selector, labels)).toBe(false);
      expect(selects({ matchLabels: findObject(objects, 'Service').spec.selector }, labels)).toBe(false);
      const policy = findObject(objects, 'NetworkPolicy', 'sardonyx-worker').spec;
      expect(selects(policy.podSelector, labels)).toBe(true);
      expect(policy.egress).toEqual(findObject(objects, 'NetworkPolicy').spec.egress);
      const redis = findObject(objects, 'NetworkPolicy', 'sardonyx-redis').spec.ingress;
      expect(selects(redis[0].from[0].podSelector, labels)).toBe(true);
    });

    test('are scaled by the list that BullMQ fills, and never to zero', () => {
      expect(worker).not.toHaveProperty('replicas');
      const { spec } = findObject(objects, 'ScaledObject', 'sardonyx-worker');
      expect(spec.scaleTargetRef).toEqual({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: 'sardonyx-worker',
      });
      expect(spec.minReplicaCount).toBe(1);
      const [{ metadata }] = spec.triggers;
      expect(metadata.listName).toBe(`${bullPrefix(jobsPrefix)}:${queueName}:wait`);
      const [{ env }] = worker.template.spec.containers;
      expect(env.map(({ name }: { name: string }) => name)).toContain(metadata.passwordFromEnv);
      const redis = findObject(objects, 'NetworkPolicy', 'sardonyx-redis').spec.ingress;
      expect(redis[1].from).toEqual([
        { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'keda' } } },
      ]);
    });
  });
}
