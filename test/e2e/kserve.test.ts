import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/read-config.js';
import { installKserve } from '../helpers/kserve-python.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';

const kserve = installKserve();
const runtimeFile = 'k8s/kserve/cluster-serving-runtime.yaml';
const serviceFile = 'k8s/kserve/inference-service.yaml';
const [container] = parse(readFileSync(runtimeFile, 'utf8')).spec.containers;
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-e2e-kserve-'));
afterAll(() => rmSync(temp, { recursive: true }));

// Not `spawnSync`: the requested server may run in this process.
const runFile = promisify(execFile);

if ('missing' in kserve) {
  test.skip(`KServe's own client gets answers: ${kserve.missing}`, () => undefined);
} else {
  const { python } = kserve;

  test("KServe's own client and urllib get answers, and errors with their reasons", {
    timeout: 120_000,
  }, async () => {
    using folder = createRegistryFolder();
    cpSync('models/credit-risk', join(folder.path, 'credit-risk'), { recursive: true });
    const manifest = { task: 'regression', features: [{ name: 'x', type: 'number' }] } as const;
    folder.addVersion('broken', '1', { manifest, model: linearRegression([1, 2]) });
    await using server = await startServerProcess({ MODELS_DIR: folder.path });
    const { stdout } = await runFile(python, ['test/e2e/kserve/client.py', server.url]);
    const { client, urllib } = JSON.parse(stdout);
    const predictions = [1, 0];
    expect(client.live).toBe(true);
    // This client returns false for a model that is not ready, and raises for a missing one.
    expect(client.ready).toEqual([
      true,
      false,
      { raised: expect.stringContaining('There is no such model: "nope" is none of the models') },
    ]);
    expect(client.by_name).toEqual({ predictions });
    expect(client.in_order).toEqual({ predictions });
    expect(client.whole.predictions[0]).toMatchObject({
      prediction: 1,
      probability: 0.9553415,
      probabilities: { '0': 0.044658482, '1': 0.9553415 },
      model: 'credit-risk',
    });
    expect(client.bad_row.raised).toMatch(
      /instances\[1\]\.age must be at most 100, got 130, '400 Bad Request'/,
    );
    expect(client.no_model.raised).toMatch(/^There is no such model: .*, '404 Not Found'/);
    expect(client.broken.raised).toMatch(/^The model cannot answer now: .*, '503 Service Unavailable'/);
    expect(urllib).toMatchObject({
      models: [200, { models: ['broken', 'credit-risk'] }],
      model: [200, { name: 'credit-risk', ready: true }],
      predict: [200, { predictions }],
      encoded: [200, { predictions }],
      empty: [400, { error: 'The input does not fit the model: instances must have at least one row' }],
    });
  });

  describe('k8s/kserve', () => {
    test("has only keys that exist in KServe's types", () => {
      const check = (...files: string[]) =>
        spawnSync(python, ['test/e2e/kserve/manifests.py', ...files], { encoding: 'utf8' });
      const sound = check(runtimeFile, serviceFile);
      expect(sound.stderr).toBe('');
      expect(sound.stdout).toBe('ClusterServingRuntime sardonyx\nInferenceService credit-risk\n');
      const wrong = join(temp, 'wrong.yaml');
      writeFileSync(wrong, readFileSync(serviceFile, 'utf8').replace('storageUri: ', 'storageURI: '));
      expect(check(wrong).stderr).toContain('storageURI is no member of V1beta1ModelSpec');
    });

    test('serves a model that KServe fetched from storage', { timeout: 120_000 }, async () => {
      const service = parse(readFileSync(serviceFile, 'utf8'));
      const { name } = service.metadata;
      const mount = join(temp, 'mnt-models');
      mkdirSync(mount);
      spawnSync('tar', ['-czf', join(temp, 'registry.tar.gz'), '-C', 'models', '.']);
      const archive = readFileSync(join(temp, 'registry.tar.gz'));
      const storage = createServer((_request, response) => {
        response.setHeader('content-type', 'application/gzip').end(archive);
      });
      await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve));
      const { port } = storage.address() as AddressInfo;
      const fetchModels = 'import sys; from kserve_storage import Storage; Storage.download(*sys.argv[1:])';
      await runFile(python, ['-c', fetchModels, `http://127.0.0.1:${port}/registry.tar.gz`, mount]);
      storage.close();

      // As KServe does: fill in the name of the service and the folder of its storage.
      const environment = Object.fromEntries(
        container.env.map((it: { name: string; value: string }) => [
          it.name,
          it.value.replace('{{.Name}}', name).replace('/mnt/models', mount),
        ]),
      );
      await using server = await startServerProcess({ ...environment, HOST: '127.0.0.1', PORT: '0' });
      const ask = async (path: string, init: RequestInit = {}) =>
        (await fetch(server.url + path, init)).status;
      expect(await ask(container.readinessProbe.httpGet.path)).toBe(200);
      expect(await ask(container.livenessProbe.httpGet.path)).toBe(200);
      const response = await fetch(`${server.url}/v1/models/${name}:predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ instances: [[42, 51234.5, 688]] }),
      });
      expect(await response.json()).toEqual({ predictions: [1] });
    });
  });
}

test('k8s/kserve still answers after SIGTERM, and ends before Kubernetes kills it', () => {
  const environment = Object.fromEntries(
    container.env.map((it: { name: string; value: string }) => [it.name, it.value.replace('{{.Name}}', 'm')]),
  );
  const config = readConfig(environment);
  // Kubernetes removes endpoints within seconds, and kills after 30 s by default.
  expect(config.SHUTDOWN_DELAY_MS).toBeGreaterThanOrEqual(3_000);
  expect(config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS + 2_000).toBeLessThan(30_000);
});

test('k8s/kserve meets the Pod Security Standard "restricted"', () => {
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    privileged: false,
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: { drop: ['ALL'] },
  });
});

test('k8s/kserve runs the image of this version', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(container.image.split(':').at(-1)).toBe(version);
});
