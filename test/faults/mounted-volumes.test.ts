import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { entry, withKey } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess, waitForLine } from '../helpers/server-process.js';
import { type VolumeFiles, writeMountedVolume } from '../k8s/mounted-volume.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize } from './instruments/full-size.js';

const temp = mkdtempSync(join(tmpdir(), 'sardonyx-volumes-'));
const registry = createRegistryFolder();
afterAll(() => {
  rmSync(temp, { recursive: true });
  registry[Symbol.dispose]();
});

/** Versions 1, 2 and 3 of both models answer x times 1, 2 and 3. Those of `slow` run in a child process. */
for (const factor of [1, 2, 3])
  for (const model of ['m', 'slow'])
    registry.addVersion(model, String(factor), {
      manifest: {
        task: 'regression',
        features: [{ name: 'x', type: 'number' }],
        ...(model === 'slow' && { runtime: { executor: 'isolated' } }),
      },
      model: linearRegression([factor]),
      golden: { instances: [{ x: 2 }], expected: [{ prediction: 2 * factor }] },
    });

/** The files of some versions of both models, by their paths in a volume. */
function filesOf(...versions: number[]): VolumeFiles {
  const paths = ['m', 'slow'].flatMap((model) => versions.map((version) => `${model}/${version}`));
  return Object.fromEntries(
    paths.flatMap((path) =>
      readdirSync(join(registry.path, path)).map((name) => [
        `${path}/${name}`,
        readFileSync(join(registry.path, path, name)),
      ]),
    ),
  );
}

const makeVolume = (name: string, files: VolumeFiles): string => {
  const path = join(temp, name);
  mkdirSync(path);
  writeMountedVolume(path, files);
  return path;
};

async function predict(url: string, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/models/${path}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"x":2}',
  });
  const { prediction } = (await response.json()) as { prediction?: number };
  return `${response.status} ${prediction ?? ''}`.trim();
}

/** Starts clients that send one request after the other. The returned function stops them and counts their answers. */
function startClients(ask: (index: number) => Promise<string>, count = 3) {
  const answers: Record<string, number> = {};
  let isOver = false;
  const asking = Array.from({ length: count }, async (_, index) => {
    while (!isOver) {
      const answer = await ask(index);
      answers[answer] = (answers[answer] ?? 0) + 1;
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(asking);
    return answers;
  };
}

const broken = 'the file of API keys cannot be used';

faultWithoutServer(
  'A03',
  'the keys of a Secret that is swapped under load apply all at once',
  async () => {
    const secretOf = (...names: string[]) => ({
      'keys.json': JSON.stringify(names.map((name) => entry(name))),
    });
    const path = makeVolume('keys', secretOf('stable', 'key-0'));
    await using server = await startServerProcess({
      MODELS_DIR: registry.path,
      API_KEYS_FILE: join(path, 'keys.json'),
    });
    const askWith = (key: string) => predict(server.url, 'm', withKey(key));
    const stop = startClients(() => askWith('stable'));
    const untilAnswer = async (key: string, wanted: RegExp): Promise<number> => {
      const started = performance.now();
      while (!wanted.test(await askWith(key))) {
        expect(performance.now() - started, `ms until ${key} gets ${wanted}`).toBeLessThan(5_000);
        await pause(20);
      }
      return performance.now() - started;
    };
    const times: number[] = [];
    for (let k = 1; k <= 4; k += 1) {
      writeMountedVolume(path, secretOf('stable', `key-${k}`));
      times.push(await untilAnswer(`key-${k}`, /^200/));
      expect(await untilAnswer(`key-${k - 1}`, /^(403|429)/)).toBeLessThan(1_000);
    }
    await waitForLine(server, 'the file of API keys has changed', 4);
    // Far more often than a kubelet, so that the server often reads during a swap.
    let swaps = 0;
    const until = performance.now() + (isFullSize ? 60_000 : 5_000);
    while (performance.now() < until) {
      swaps += 1;
      writeMountedVolume(path, secretOf('stable', ...Array.from({ length: swaps % 50 }, (_, k) => `k${k}`)));
      await pause(2);
    }
    writeMountedVolume(path, secretOf('stable', 'last'));
    await untilAnswer('last', /^200/);
    const { '200 6': ok = 0, ...others } = await stop();
    expect(others).toEqual({});
    expect(ok).toBeGreaterThan(200);
    const lines = server.stdout.filter((line) => line.includes(broken));
    // The link and its folder may vanish while the server reads; the next read finds the new ones.
    for (const line of lines) expect(line).toContain('the file is not there');
    expect(Math.max(...times)).toBeLessThan(2_500);
    return `failed 0 of ${ok} over ${swaps + 5} swaps, ${lines.length} reads during a swap; a new key works after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`;
  },
  150_000,
);

faultWithoutServer(
  'R06',
  'loaded versions answer while a volume of models is swapped, and a restart loads the new ones',
  async () => {
    const path = makeVolume('models', filesOf(1));
    const environment = { MODELS_DIR: path };
    const swaps = isFullSize ? 1_000 : 100;
    let answered = 0;
    {
      await using server = await startServerProcess(environment);
      const stop = startClients((index) => predict(server.url, index === 0 ? 'slow' : 'm'));
      const steps = [filesOf(1, 2), filesOf(2), filesOf(2, 3), filesOf(3)];
      for (let k = 0; k < swaps; k += 1) {
        writeMountedVolume(path, steps[k % steps.length] as VolumeFiles);
        await pause(10);
      }
      const { '200 2': ok = 0, ...others } = await stop();
      answered = ok;
      expect(others).toEqual({});
      expect(ok).toBeGreaterThan(200);
      // By docs/kubernetes.md, only pods that start afterwards serve the new versions of a volume.
      expect(await predict(server.url, 'm/versions/3')).toBe('404');
      expect(server.stdout.filter((line) => line.includes('version refused'))).toEqual([]);
    }
    await using server = await startServerProcess(environment);
    expect([await predict(server.url, 'm'), await predict(server.url, 'slow')]).toEqual(['200 6', '200 6']);
    expect(await predict(server.url, 'm/versions/1')).toBe('404');
    return `changed answers 0 of ${answered} over ${swaps} swaps; the new version after a restart`;
  },
  150_000,
);

faultWithoutServer(
  'R01',
  'a server that starts while a volume of models is swapped loads no half version',
  async () => {
    const path = makeVolume('start', filesOf(1));
    let isOver = false;
    let swaps = 0;
    const swapping = (async () => {
      while (!isOver) {
        swaps += 1;
        writeMountedVolume(path, swaps % 2 === 0 ? filesOf(1) : filesOf(1, 2));
        await pause(20);
      }
    })();
    const starts = isFullSize ? 40 : 6;
    const seen: Record<string, number> = {};
    const refused: string[] = [];
    for (let k = 0; k < starts; k += 1) {
      await using server = await startServerProcess({ MODELS_DIR: path });
      const answer = `${await predict(server.url, 'm')}, ${await predict(server.url, 'm/versions/1')}`;
      seen[answer] = (seen[answer] ?? 0) + 1;
      refused.push(...server.stdout.filter((line) => line.includes('version refused')));
    }
    isOver = true;
    await swapping;
    // Version 2 comes and goes, version 1 is always there. Neither may answer as another version.
    for (const answer of Object.keys(seen)) expect(['200 2, 200 2', '200 4, 200 2']).toContain(answer);
    for (const line of refused) expect(JSON.parse(line)).toMatchObject({ model_version: '2' });
    return `wrong answers 0 of ${starts} starts over ${swaps} swaps; ${JSON.stringify(seen)}, ${refused.length} loads of a version that was just removed`;
  },
  150_000,
);
