import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { buildServer } from '../src/app.js';
import { readConfig } from '../src/config/read-config.js';
import { randomForest } from '../test/helpers/onnx-models.js';
import type { RegistryFolder } from '../test/helpers/registry-folder.js';

/** One model of the bench: its path on all servers, a body, and the schema that the bare route checks the body with. */
export interface BenchCase {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  /** The body with `uniqueNumber` in it: the load generator replaces it, so that each request has a different row. */
  readonly uniqueBody: string;
  readonly schema: Record<string, unknown>;
  readonly modelFile: string;
  readonly features: readonly string[];
}

/** Placeholder in `uniqueBody` for a number that differs in each request. */
export const uniqueNumber = '0.00000000';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const sample = 'models/credit-risk/20261115_143000';

/** Writes the models of the bench into a registry, and returns the requests to them. */
export async function createCases(folder: RegistryFolder): Promise<readonly BenchCase[]> {
  const {
    sha256: _,
    name: __,
    version: ___,
    ...manifest
  } = JSON.parse(readFileSync(`${sample}/metadata.json`, 'utf8'));
  const model = readFileSync(`${sample}/model.onnx`);
  folder.addVersion('credit-risk', '1', { manifest, model });
  folder.addVersion('alone', '1', { manifest: { ...manifest, runtime: { maxBatchRows: 1 } }, model });
  for (const count of [30, 300]) {
    const names = Array.from({ length: count }, (_unused, k) => `feature_${k}`);
    const features = names.map((it) => ({
      name: it,
      type: 'number' as const,
      minimum: -1_000,
      maximum: 1_000,
    }));
    folder.addVersion(`forest-${count}`, '1', {
      manifest: { task: 'classification', features },
      model: randomForest(100, 6, count),
    });
  }
  folder.write('aliases.json', { default: 'credit-risk' });

  const rowOf = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_unused, k) => [`feature_${k}`, Math.round(Math.sin(k) * 1e5) / 1e3]),
    );
  const bodies = [
    { name: '3 features', path: '/predict', model: 'credit-risk', body: loan, varied: 'income' },
    {
      name: '3 features, alone',
      path: '/models/alone/predict',
      model: 'alone',
      body: loan,
      varied: 'income',
    },
    ...[30, 300].map((count) => ({
      name: `${count} features`,
      path: `/models/forest-${count}/predict`,
      model: `forest-${count}`,
      body: rowOf(count),
      varied: 'feature_0',
    })),
  ];
  const app = await buildServer(readConfig({ MODELS_DIR: folder.path }), pino({ level: 'silent' }));
  await app.modelsLoaded;
  try {
    return bodies.map(({ name, path, model: of, body, varied }) => {
      const lease = app.registry.lease(of);
      lease.release();
      return {
        name,
        path,
        body: JSON.stringify(body),
        uniqueBody: JSON.stringify({ ...body, [varied]: uniqueNumber }).replace(
          `"${uniqueNumber}"`,
          uniqueNumber,
        ),
        schema: JSON.parse(JSON.stringify(lease.task.requestSchema)),
        modelFile: `${folder.path}/${of}/1/model.onnx`,
        features: Object.keys(body),
      };
    });
  } finally {
    await app.close();
  }
}
