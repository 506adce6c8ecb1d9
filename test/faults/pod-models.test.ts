import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findFreePort } from '../helpers/free-port.js';
import { withKey } from '../helpers/keys.js';
import { findOnPath, installByApt } from '../helpers/programs.js';
import { parseObjects, provideKustomize, renderWith } from '../k8s/kustomize.js';
import { canRunPods, Pod } from '../k8s/pod.js';
import { askFor, predict, startPod, surroundings } from '../k8s/running-pod.js';
import { faultWithoutServer } from './instruments/fault.js';

const kustomize = provideKustomize();
const hasRclone = findOnPath(['rclone']) !== undefined || installByApt('rclone');
const missing = canRunPods ? undefined : 'needs root and the right to create mount namespaces';

if (kustomize.missing !== undefined || missing !== undefined) {
  test.skip(`S04 pods have their models: ${kustomize.missing ?? missing}`, () => undefined);
} else {
  const { command } = kustomize;

  for (const source of ['models-volume', 'models-image', 'models-image-copy', 'models-download']) {
    if (source === 'models-download' && !hasRclone) {
      test.skip(`S04 a pod with the component ${source} has its models: needs rclone`, () => undefined);
      continue;
    }
    faultWithoutServer('S04', `a pod with the component ${source} has its models`, async () => {
      const objects = parseObjects(renderWith(command, [source]));
      await using storage = source === 'models-download' ? await serveStorage() : undefined;
      const started = performance.now();
      await using running = await startPod(objects, {
        ...surroundings,
        secrets: { ...surroundings.secrets, 'sardonyx-storage': storage?.variables ?? {} },
      });
      const ms = performance.now() - started;
      const { models } = JSON.parse((await askFor(running.port, '/health')).text);
      expect(Object.keys(models).sort()).toEqual(readdirSync('models').filter((name) => !name.includes('.')));
      expect((await predict(running.port, withKey('client'))).status).toBe(200);
      expect(running.lines.filter((line) => line.includes('version refused'))).toEqual([]);
      return `${source}: 5 models, ready after ${(ms / 1_000).toFixed(1)} s`;
    });
  }

  // Happens after a node restart, or after an init container that failed halfway.
  faultWithoutServer('S04', 'init containers that run again copy read-only models again', async () => {
    const models = mkdtempSync(join(tmpdir(), 'sardonyx-models-'));
    try {
      cpSync('models', models, { recursive: true });
      chmodSync(models, 0o755);
      const files = readdirSync(models, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
      for (const { parentPath, name } of files) chmodSync(join(parentPath, name), 0o444);
      const imageFolders = { 'sardonyx-models:1': { '/models': models } };
      const objects = parseObjects(renderWith(command, ['models-image-copy']));
      using pod = new Pod(objects, { ...surroundings, imageFolders });
      for (let run = 0; run < 2; run += 1) {
        const server = await pod.start();
        server.kill('SIGKILL');
        await once(server, 'close');
      }
      return `${files.length} read-only files, copied twice`;
    } finally {
      rmSync(models, { recursive: true });
    }
  });

  const row = hasRclone
    ? faultWithoutServer
    : (_: string, title: string) => test.skip(`S04 ${title}: needs rclone`);
  row(
    'S04',
    'an init container that cannot reach the storage ends with an error, and no server starts',
    async () => {
      const port = await findFreePort();
      using pod = new Pod(parseObjects(renderWith(command, ['models-download'])), {
        ...surroundings,
        secrets: { ...surroundings.secrets, 'sardonyx-storage': storageAt(port) },
        environment: { RCLONE_LOW_LEVEL_RETRIES: '1' },
      });
      await expect(pod.start()).rejects.toThrow(/download-models ended with [1-9].*connection refused/s);
      return 'the init container fails, so Kubernetes would start it again';
    },
  );
}

/** The variables of the Secret, for a storage on this machine. */
const storageAt = (port: number) => ({
  RCLONE_CONFIG_STORAGE_TYPE: 'http',
  RCLONE_CONFIG_STORAGE_URL: `http://127.0.0.1:${port}`,
  MODELS_PATH: 'models',
});

/** Serves the sample models over HTTP with rclone. */
async function serveStorage() {
  const port = await findFreePort();
  const served = [
    'serve',
    'http',
    '.',
    '--include',
    '/models/**',
    '--addr',
    `127.0.0.1:${port}`,
    '--config=',
  ];
  const child = spawn('rclone', served, { stdio: 'ignore' });
  while ((await askFor(port, '/')).status !== 200) {
    if (child.exitCode !== null) throw new Error(`rclone ended with ${child.exitCode}`);
    await pause(50);
  }
  return {
    variables: storageAt(port),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
