import { expect } from 'vitest';
import { readMetric } from '../../helpers/ask.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import type { RegistryFolder, VersionParts } from '../../helpers/registry-folder.js';
import type { ServerProcess } from '../../helpers/server-process.js';
import type { FaultOptions } from './fault.js';

/** A sound version: 1·a + 2·b, with golden rows. */
export const soundParts: VersionParts = {
  manifest: {
    task: 'regression',
    description: 'Adds a to twice b. '.repeat(30),
    features: [
      { name: 'a', type: 'number', minimum: -100, maximum: 100, example: 1 },
      { name: 'b', type: 'number', example: 2 },
    ],
  },
  model: linearRegression([1, 2]),
  golden: {
    instances: [
      { a: 1, b: 10 },
      { a: -3, b: 4.5 },
    ],
    expected: [{ prediction: 21 }, { prediction: 6 }],
  },
  reference: { rows: 2, features: {}, output: {} },
};
export const soundBody = { a: 3, b: 4 };
export const soundPrediction = 11;

/** Options of a row whose server serves this registry; its golden prediction comes from the added model `sound`. */
export function serving(folder: RegistryFolder): FaultOptions {
  folder.addVersion('sound', '1', soundParts);
  return {
    environment: { MODELS_DIR: folder.path, REQUIRED_MODELS: 'sound' },
    golden: { path: '/models/sound/predict', body: soundBody },
    timeoutMs: 120_000,
  };
}

interface VersionView {
  readonly version: string;
  readonly state: string;
  readonly reason?: string;
  readonly identity?: string;
}

export async function versionsOf({ url }: ServerProcess, model: string): Promise<readonly VersionView[]> {
  const response = await fetch(`${url}/models/${model}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { versions: VersionView[] }).versions;
}

/** The reason of each refused version. Asserts that the log has the same reasons and that the metric counts them. */
export async function refusalsOf(server: ServerProcess, model: string): Promise<ReadonlyMap<string, string>> {
  const versions = await versionsOf(server, model);
  const refused = versions.filter(({ state }) => state === 'refused');
  const logged = new Map(
    server.stdout
      .map((line) => JSON.parse(line))
      .filter((line) => line.msg === 'version refused' && line.model === model)
      .map((line) => [line.model_version, line.reason]),
  );
  const reasons = new Map(refused.map(({ version, reason = '' }) => [version, reason]));
  expect(logged, 'reasons in the log').toEqual(reasons);
  expect(await loadsOf(server, model, 'refused'), 'model_loads_total').toBe(reasons.size);
  expect(await loadsOf(server, model, 'ready')).toBe(versions.length - reasons.size);
  for (const [version, reason] of reasons) {
    expect(reason, `${model}/${version}`).toMatch(/\w{3,}.*\w{3,}/);
    expect(reason, 'the reason shows no path and no source of the engine').not.toMatch(
      /\/tmp\/|onnxruntime_src|\.cc:\d|std::/,
    );
  }
  return reasons;
}

const loadsOf = ({ url }: ServerProcess, model: string, result: string): Promise<number> =>
  readMetric(url, 'model_loads_total', `model="${model}"`, `result="${result}"`);

export async function ask({ url }: ServerProcess, path: string, body: unknown = soundBody) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests read any answer
  return { status: response.status, body: (await response.json()) as any };
}
