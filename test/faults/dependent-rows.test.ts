import { expect } from 'vitest';
import {
  centredOnRun,
  dynamicallyQuantized,
  randomNoise,
  trainingNormalization,
} from '../helpers/onnx-models.js';
import { fault } from './instruments/fault.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';
import { refusalsOf } from './instruments/registry-under-fault.js';

const folder = createPlainRegistry();
const features = [...'abc'].map((name) => ({ name, type: 'number' as const }));
const regression = { task: 'regression' as const, features };
folder.addVersion('quantized', '1', { manifest: regression, model: dynamicallyQuantized() });
folder.addVersion('centred', '1', { manifest: regression, model: centredOnRun() });
const names = ['u', 'v', 'w'];
const training = { ...regression, output: { value: 'variable', names } };
folder.addVersion('training', '1', { manifest: training, model: trainingNormalization() });
folder.addVersion('random', '1', { manifest: regression, model: randomNoise() });
const models = ['quantized', 'centred'];
const rows = Array.from({ length: 40 }, (_unused, k) => ({
  a: Math.sin(k) * (k + 1),
  b: Math.cos(k),
  c: k % 7,
}));
const rounds = 50;

fault(
  'E10',
  'a row gets the same answer alone, together with others, and from the cache',
  async ({ server }) => {
    const ask = async (model: string, row: unknown, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${server.url}/models/${model}/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(row),
      });
      expect(answer.status).toBe(200);
      return JSON.stringify(((await answer.json()) as { prediction: unknown }).prediction);
    };
    const refused = (await refusalsOf(server, 'training')).size + (await refusalsOf(server, 'random')).size;
    expect(refused, 'training mode and randomness').toBe(2);
    let wrong = 0;
    let asked = 0;
    let hits = 0;
    for (const model of models) {
      const alone: string[] = [];
      for (const row of rows) alone.push(await ask(model, row, { 'cache-control': 'no-store' }));
      // Odd rounds bypass the cache. Even rounds use it: the first fills it with rows that share runs.
      for (let round = 0; round < rounds; round += 1) {
        const headers: Record<string, string> = round % 2 === 0 ? {} : { 'cache-control': 'no-store' };
        const answers = await Promise.all(rows.map((row) => ask(model, row, headers)));
        for (const [k, answer] of answers.entries()) if (answer !== alone[k]) wrong += 1;
        asked += answers.length;
        if (round % 2 === 0 && round > 0) hits += answers.length;
      }
    }
    expect(wrong).toBe(0);
    return `wrong answers ${wrong} of ${asked}, of which ${hits} from the cache, in ${models.length} graphs whose rows depend on each other; refused ${refused} of 2 graphs that answer the same row differently`;
  },
  { environment: { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain', CACHE: 'memory' }, golden: plainGolden },
);
