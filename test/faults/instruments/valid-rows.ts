import { readFileSync } from 'node:fs';
import { createRandom } from '../../helpers/onnx/random.js';

interface Feature {
  readonly name: string;
  readonly type: 'number' | 'integer' | 'boolean' | 'string';
  readonly minimum: number;
  readonly maximum: number;
  readonly enum?: readonly string[];
  readonly codes?: Readonly<Record<string, number>>;
  readonly nullable?: boolean;
  readonly default?: unknown;
}

/** The part of `metadata.json` that rows and answers depend on. */
export interface Metadata {
  readonly task: 'classification' | 'regression' | 'tensor';
  readonly features?: readonly Feature[];
  readonly output?: { readonly classes?: readonly (number | string)[] };
}

export const readMetadata = (folder: string): Metadata =>
  JSON.parse(readFileSync(`${folder}/metadata.json`, 'utf8'));

/**
 * Random valid bodies for a sample version, with a fixed seed. Half are drawn from the whole range of the manifest,
 * half keep two thirds of a golden row. Numbers have all digits of a double, so that each must be rounded to float32.
 */
export function createValidRows(folder: string, count: number): readonly Record<string, unknown>[] {
  const random = createRandom(5);
  const { features = [] } = readMetadata(folder);
  const { instances } = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8'));
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const between = (low: number, high: number) => low + random() * (high - low);
  const drawValue = (feature: Feature): unknown => {
    if (feature.nullable === true && random() < 0.2) return null;
    const names = feature.enum ?? (feature.codes && Object.keys(feature.codes));
    if (names !== undefined) return pick(names);
    if (feature.type === 'boolean') return random() < 0.5;
    const value = between(feature.minimum, feature.maximum);
    return feature.type === 'integer' ? Math.round(value) : value;
  };
  const row = (known: Readonly<Record<string, unknown>> | undefined) => {
    const body: Record<string, unknown> = {};
    for (const feature of features) {
      const mayBeAbsent = feature.nullable === true || feature.default !== undefined;
      if (mayBeAbsent && random() < 0.1) continue;
      const kept = known?.[feature.name];
      body[feature.name] = kept !== undefined && random() < 2 / 3 ? kept : drawValue(feature);
    }
    return body;
  };
  const image = (isWhole: boolean) => {
    const pixel = () => (isWhole ? Math.round(between(0, 16)) : between(0, 16));
    return {
      inputs: { image: [Array.from({ length: 8 }, () => Array.from({ length: 8 }, pixel))] },
    };
  };
  return Array.from({ length: count }, (_, k) => {
    if (features.length === 0) return image(k % 2 === 0);
    return row(k % 2 === 0 ? undefined : pick(instances));
  });
}
