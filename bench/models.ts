import { readFileSync } from 'node:fs';
import { openSession } from '../src/inference/engine/session.js';
import { sineLayers } from '../test/helpers/onnx-models.js';
import type { RegistryFolder } from '../test/helpers/registry-folder.js';
import { median } from './table.js';

const features = ['a', 'b', 'c', 'd'];
const row = { a: 0.5, b: -1.25, c: 2, d: 0.125 };

/** The request and the manifest of models from `timedModel`. */
export const timed = {
  row,
  body: JSON.stringify(row),
  input: { name: 'X', values: Float32Array.from(Object.values(row)) },
  output: 'variable',
  manifest: {
    task: 'regression',
    features: features.map((name) => ({ name, type: 'number' as const, minimum: -10, maximum: 10 })),
  } as const,
};

/** A model whose run takes about `ms` per row on this machine. */
export function timedModel(ms: number): Uint8Array {
  const layers = 100;
  const session = openSession(sineLayers(layers, features.length), 1);
  const feeds = {
    X: { type: 'float32' as const, dims: [1, features.length], data: timed.input.values },
  };
  const took = Array.from({ length: 200 }, () => {
    const started = performance.now();
    session.run(feeds, [timed.output]);
    return performance.now() - started;
  });
  session.release();
  return sineLayers(Math.max(1, Math.round((layers * ms) / median(took))), features.length);
}

/** A body for the sample model `credit-risk`, which runs inline. */
export const loan = JSON.stringify({ age: 42, income: 51234.5, credit_score: 688 });

export function addCreditRisk(folder: RegistryFolder, runtime: { maxBatchRows?: number } = {}): void {
  const sample = 'models/credit-risk/20261115_143000';
  const text = readFileSync(`${sample}/metadata.json`, 'utf8');
  const { sha256: _, name: __, version: ___, ...manifest } = JSON.parse(text);
  folder.addVersion('credit-risk', '1', {
    manifest: { ...manifest, runtime },
    model: readFileSync(`${sample}/model.onnx`),
  });
}
