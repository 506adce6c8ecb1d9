import { afterAll, describe, expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.js';
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
  const call = loaded.createCall({ arrivedAt: performance.now(), isBackground: true });
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

  test('fail alone if they end the process of the model', async () => {
    const whole = { type: 'integer' as const, minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    const loaded = await load(wholeRemainder(), { executor: 'isolated' }, [
      { name: 'a', ...whole, example: 7 },
      { name: 'b', ...whole, example: 3 },
    ]);
    const rows = [...[7, 8, 9].map((a) => ({ a, b: 3 })), { a: -(2 ** 31), b: -1 }, { a: 10, b: 3 }];
    expect(await answerEach(loaded, rows)).toEqual([1, 2, 0, 'executor_lost', 1]);
    loaded.retire();
  });
});
