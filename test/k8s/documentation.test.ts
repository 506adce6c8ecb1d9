import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readAccessMode } from '../../src/auth/auth-mode.js';
import { readConfig } from '../../src/config/read-config.js';
import { parseObjects, provideKustomize, render, renderWith } from './kustomize.js';
import { findObject, podOf, secretNamesOf, settingsOf } from './objects.js';
import { additions, page } from './page.js';

const kustomize = provideKustomize();

describe('docs/kubernetes.md', () => {
  test('names every overlay and component', () => {
    const named = page.match(/`(?:overlays|components)\/[\w*-]+`/g)?.map((it) => it.slice(1, -1)) ?? [];
    for (const folder of ['overlays', 'components'])
      for (const name of readdirSync(join('k8s', folder))) {
        const path = `${folder}/${name}`;
        expect(named, path).toContain(path.replace(/models-.*/, 'models-*'));
        if (name.startsWith('models-')) expect(page).toContain(`| \`${name}\``);
      }
  });

  test('gives the total time of a stop', () => {
    const sum = /are (\d+) s; a test holds/.exec(page)?.[1];
    const settings = Object.fromEntries(
      readFileSync('k8s/base/settings.env', 'utf8')
        .split('\n')
        .map((line) => line.split('=')),
    );
    expect(Number(sum)).toBe(
      3 + (Number(settings.SHUTDOWN_DELAY_MS) + Number(settings.SHUTDOWN_TIMEOUT_MS)) / 1_000 + 2,
    );
  });

  if (kustomize.missing !== undefined) {
    test.skip(`has a valid overlay: ${kustomize.missing}`, () => undefined);
    return;
  }
  const { command } = kustomize;

  test('has the command for each Secret that an overlay or a component needs', () => {
    const objects = [
      ...readdirSync('k8s/overlays').flatMap((name) =>
        parseObjects(render(command, join('k8s/overlays', name))),
      ),
      ...readdirSync('k8s/components').flatMap((name) => parseObjects(renderWith(command, [name]))),
    ];
    const names = secretNamesOf(objects);
    expect(names.length).toBe(4);
    for (const name of names) expect(page).toContain(`create secret generic ${name} `);
  });

  const withAddition = (title: string) =>
    parseObjects(
      renderWith(command, ['models-image-copy'], additions.find((it) => it.title === title)?.text),
    );

  test('has the patches for an ingress in front', () => {
    const objects = withAddition('an ingress in front');
    const { spec } = findObject(objects, 'Service');
    expect(spec.type).toBe('ClusterIP');
    // Kubernetes refuses this field for a Service without an external address.
    expect(spec).not.toHaveProperty('externalTrafficPolicy');
    expect(readConfig(settingsOf(objects)).TRUST_PROXY).toBeDefined();
  });

  test('has the patches for TLS in the pods', () => {
    const objects = withAddition('TLS in the pods');
    const { containers, volumes } = podOf(objects);
    const [{ startupProbe, readinessProbe, livenessProbe, volumeMounts = [] } = {} as never] = containers;
    for (const probe of [startupProbe, readinessProbe, livenessProbe])
      expect(probe.httpGet).toMatchObject({ scheme: 'HTTPS', port: 'http' });
    const mount = volumeMounts.find(({ name }) => name === 'tls');
    const config = readConfig(settingsOf(objects));
    expect([config.TLS_CERT_FILE, config.TLS_KEY_FILE]).toEqual(
      ['tls.crt', 'tls.key'].map((file) => `${mount?.mountPath}/${file}`),
    );
    const { secret } = volumes.find(({ name }) => name === 'tls') as { secret?: { secretName: string } };
    expect(findObject(objects, 'Service').spec.ports).toEqual([
      { name: 'http', port: 443, targetPort: 'http' },
    ]);
    expect(page).toContain(`create secret tls ${secret?.secretName} `);
  });

  test('has an overlay that kustomize builds, with settings that the server accepts', () => {
    const [, text = ''] = /```yaml\n(apiVersion: kustomize[\s\S]*?)```/.exec(page) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'sardonyx-mine-'));
    try {
      const here = relative(folder, resolve('k8s'));
      writeFileSync(join(folder, 'kustomization.yaml'), text.replaceAll('../../k8s', here));
      const objects = parseObjects(render(command, folder));
      const { containers, initContainers } = podOf(objects);
      expect(containers[0]?.image).toMatch(/^registry\.example\.com\/sardonyx:/);
      expect(initContainers?.[0]?.image).toMatch(/^registry\.example\.com\/models:/);
      const config = readConfig(settingsOf(objects));
      expect(readAccessMode(config).mode).toBe('keys');
      expect(config.LOG_LEVEL).toBe('warn');
      expect(findObject(objects, 'ServiceMonitor').metadata.namespace).toBe('sardonyx');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
