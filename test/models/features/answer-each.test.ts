import { afterAll, describe, expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.js';
import { createCall } from '../../../src/inference/batching/call-context.js';
import type { Manifest } from '../../../src/models/manifest/manifest.js';
import type { LoadedVersion } from '../../../src/models/registry/loaded-version.js';
import { loaderOf } from '../../helpers/one-version.js';
import { gatherByValue, linearRegression, nanAt, wholeRemainder } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const folder = createRegistryFolder();
const loader = loaderOf();
afterAll(() => {
  loader.close();
  folder[Symbol.dispose]();
});
type Features = NonNullable<Manifest['features']>;
let versions = 0;

const x = [{ name: 'x', type: 'number' as const, example: 1 }];

async function load(model: Uint8Array, runtime = {}, features: Features = x): Promise<LoadedVersion> {
  versions += 1;
  const path = folder.addVersion('m', String(versions), {
    manifest: { task: 'regression', features, runtime },
    model,
  });
  return loader.load(path, 'm', String(versions));
}

/** The prediction of each row, or the code of its error. */
async function answerEach(loaded: LoadedVersion, rows: readonly object[]) {
  const requests = rows.map((row) => loaded.task.check(row));
  const call = createCall({ arrivedAt: performance.now(), isBackground: true }, 20_000);
  const answers = await loaded.task.answerEach(requests, call);
  return answers.map((it) =>
    it instanceof ServiceError ? it.code : JSON.parse(`{${it.fieldsJson}}`).prediction,
  );
}

describe('rows that are answered each by itself', () => {
  test('come in order, in as many runs as they need', async () => {
    const loaded = await load(linearRegression([2]), { maxBatchRows: 4 });
    const rows = Array.from({ length: 11 }, (_unused, k) => ({ x: k }));
    expect(await answerEach(loaded, rows)).toEqual(rows.map((row) => 2 * row.x));
    expect(await answerEach(loaded, [])).toEqual([]);
    loaded.retire();
  });

  test('fail alone if the answer is no number', async () => {
    const loaded = await load(nanAt());
    expect(await answerEach(loaded, [{ x: 1 }, { x: 0 }, { x: 2 }])).toEqual([
      expect.any(Number),
      'output_not_finite',
      expect.any(Number),
    ]);
    loaded.retire();
  });

  test('fail alone if the engine refuses them', async () => {
    const loaded = await load(gatherByValue());
    const rows = [0, 1e6, 1, -1e6].map((value) => ({ x: value }));
    expect(await answerEach(loaded, rows)).toEqual([10, 'run_failed', 20, 'run_failed']);
    loaded.retire();
  });

  test('fail alone if they end the process of the model, wherever they stand, and the model answers on', async () => {
    const whole = { type: 'integer' as const, minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    const loaded = await load(wholeRemainder(), { executor: 'isolated', timeoutMs: 5_000 }, [
      { name: 'a', ...whole, example: 7 },
      { name: 'b', ...whole, example: 3 },
    ]);
    const fatal = { a: -(2 ** 31), b: -1 };
    // At 128 each half that is searched first holds the row: eight processes end one after another.
    for (const at of [128, 0, 255]) {
      const rows = Array.from({ length: 256 }, (_unused, k) =>
        k === at ? { ...fatal, b: -1 } : { a: k + at, b: 1_000 },
      );
      const answers = await answerEach(loaded, rows);
      expect(answers.filter((it) => typeof it !== 'number')).toEqual([
        at === 128 ? 'executor_lost' : expect.any(String),
      ]);
      expect(typeof answers[at]).toBe('string');
      expect(await answerEach(loaded, [{ a: 10, b: 3 }])).toEqual([1]);
    }
    loaded.retire();
  });

  test('fail alone if their tensor ends the process of the model', async () => {
    const path = folder.addVersion('scores', '1', { manifest: { task: 'tensor' }, model: wholeRemainder() });
    const loaded = await loader.load(path, 'scores', '1');
    const requests = [7, -(2 ** 31), 9].map((a) =>
      loaded.task.check({ inputs: { a: [[a]], b: [[a < 0 ? -1 : 3]] } }),
    );
    const call = createCall({ arrivedAt: performance.now(), isBackground: true }, 20_000);
    const answers = await loaded.task.answerEach(requests, call);
    expect(answers.map((it) => (it instanceof ServiceError ? it.code : 'ok'))).toEqual([
      'ok',
      'executor_lost',
      'ok',
    ]);
    loaded.retire();
  });
});
