import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, expect } from 'vitest';
import { ask, inParallel, type Reply, readMetric } from '../helpers/ask.js';
import { createRandom } from '../helpers/onnx/random.js';
import { bigInt64, echo, float16Linear, gatherByValue, infOut, nanAt } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { isStrictJson } from '../helpers/strict-json.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { float32Steps } from './instruments/float32-steps.js';

const registry = createRegistryFolder();
const number = { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] } as const;
const integer = { task: 'regression', features: [{ name: 'x', type: 'integer' }] } as const;
registry.addVersion('nan', '1', { manifest: number, model: nanAt() });
registry.addVersion('infinite', '1', { manifest: number, model: infOut() });
registry.addVersion('big', '1', { manifest: integer, model: bigInt64() });
registry.addVersion('half', '1', { manifest: number, model: float16Linear([1]) });
registry.addVersion('same', '1', { manifest: number, model: echo('float32') });
registry.addVersion('double', '1', { manifest: number, model: echo('float64') });
for (const type of ['float32', 'float16', 'int64', 'bool', 'string'] as const) {
  registry.addVersion(`tensor-${type}`, '1', { manifest: { task: 'tensor' }, model: echo(type, ['N']) });
}
registry.addVersion('places', '1', { manifest: number, model: gatherByValue() });
afterAll(() => registry[Symbol.dispose]());

const options = {
  environment: { MODELS_DIR: registry.path },
  golden: { path: '/models/same/predict', body: { x: 0.1 } },
};
const base64 = (view: ArrayBufferView) => Buffer.from(view.buffer as ArrayBuffer).toString('base64');

/** How many texts Python's parser accepts, without NaN and Infinity; undefined without Python. */
function parseByPython(texts: readonly string[]): number | undefined {
  const program = `
import json, sys
def refuse(token): raise ValueError(token)
taken = 0
for text in json.loads(sys.stdin.read()):
    try:
        json.loads(text, parse_constant=refuse)
        taken += 1
    except ValueError:
        pass
print(taken)`;
  const { status, stdout } = spawnSync('python3', ['-c', program], {
    input: JSON.stringify(texts),
    encoding: 'utf8',
  });
  return status === 0 ? Number(stdout) : undefined;
}

fault(
  'E04',
  'every answer is strict JSON, and holds exactly the number of the model',
  async ({ server }) => {
    const tensor = (value: unknown) => ({ inputs: { X: value } });
    const packed = (view: ArrayBufferView) => tensor({ shape: [1], base64: base64(view) });
    const cases: readonly [model: string, body: unknown, status: number, answer: unknown][] = [
      ['nan', { x: -1 }, 422, 'output_not_finite'],
      ['nan', { x: 0 }, 422, 'output_not_finite'],
      ['infinite', { x: 0 }, 422, 'output_not_finite'],
      ['infinite', '{"x": -0}', 422, 'output_not_finite'],
      ['tensor-float32', packed(Float32Array.of(Number.NaN)), 422, 'output_not_finite'],
      ['tensor-float32', packed(Float32Array.of(Number.NEGATIVE_INFINITY)), 422, 'output_not_finite'],
      ['tensor-float16', packed(Uint16Array.of(0x7c00)), 422, 'output_not_finite'],
      ['tensor-float16', packed(Uint16Array.of(0xfe00)), 422, 'output_not_finite'],
      ['big', { x: 8_192 }, 422, 'output_not_exact'],
      ['big', { x: -8_192 }, 422, 'output_not_exact'],
      ['big', { x: 8_191 }, 200, 8_191 * 2 ** 40],
      ['big', { x: -8_191 }, 200, -8_191 * 2 ** 40],
      ['same', '{"x": -0}', 200, 0],
      ['same', { x: 1e-45 }, 200, 1.40129846e-45],
      ['same', { x: 3.4e38 }, 200, Math.fround(3.4e38)],
      ['double', { x: 1e21 }, 200, 1e21],
      ['double', { x: 5e-324 }, 200, 5e-324],
      // numpy 2.4.6: float(np.float16(0.1))
      ['half', { x: 0.1 }, 200, 0.0999755859375],
      ['half', { x: 65_504 }, 200, 65_504],
      ['tensor-float32', tensor([-0, 0.1]), 200, [0, 0.1]],
      ['tensor-float16', tensor([0.1, -0]), 200, [0.0999755859375, 0]],
      ['tensor-int64', tensor([2 ** 53 - 1, -(2 ** 53) + 1]), 200, [2 ** 53 - 1, -(2 ** 53) + 1]],
      ['tensor-bool', tensor([true, false]), 200, [true, false]],
      ['tensor-string', tensor(['"\\\u0001\u007f\u2028é🙂', '']), 200, ['"\\\u0001\u007f\u2028é🙂', '']],
    ];
    const replies: Reply[] = [];
    for (const [model, body, status, answer] of cases) {
      const reply = await ask(server.url, model, body);
      replies.push(reply);
      const given =
        reply.status === 200 ? (reply.body.prediction ?? reply.body.outputs.variable) : reply.body.code;
      expect([reply.status, given], `${model} ${JSON.stringify(body)}`).toEqual([status, answer]);
      if (status === 422) expect(reply.body.detail).toMatch(/^The output (value|variable) /);
    }
    const texts = replies.map(({ text }) => text);
    const ours = texts.filter(isStrictJson).length;
    const pythons = parseByPython(texts);
    expect(ours).toBe(texts.length);
    expect(pythons ?? texts.length).toBe(texts.length);
    const python = pythons === undefined ? 'Python skipped: no python3' : `Python ${pythons}`;
    return `accepted of ${texts.length}: JSON.parse ${texts.length}, grammar of RFC 8259 ${ours}, ${python}`;
  },
  options,
);

faultWithoutServer('E04', 'the strict parser of this row accepts only JSON', async () => {
  const sound = ['{"a": [1, -0.5e+3, "\\u00e9"], "b": {}}', '[]', ' null ', '0'];
  const unsound =
    'NaN|Infinity|-Infinity|01|1.|.5|+1|[1,]|{"a":1,"a":2}|{a:1}|"\t"|"\\x"|nul|[1 2]|{"a":1,}|undefined||1 2'.split(
      '|',
    );
  expect(sound.filter(isStrictJson)).toEqual(sound);
  expect(unsound.filter(isStrictJson)).toEqual([]);
  return `${sound.length} valid texts accepted, ${unsound.length} invalid texts refused`;
});

interface Difference {
  readonly mixedUp: number;
  /** Of numbers from 0.001 on: below that, any rounding is thousands of ULP. */
  readonly ulp: number;
  readonly absolute: number;
}

fault(
  'E06',
  'each request gets the answer to its own row, alone, gathered or shuffled',
  async ({ server }) => {
    const random = createRandom(7);
    const versions = [
      ['credit-risk', 'float32'],
      ['breast-cancer', 'float32'],
      ['diabetes', 'float32'],
      ['churn', 'float32'],
      ['digits', 'float32'],
    ] as const;
    const figures: string[] = [];
    let rows = 0;
    for (const [model] of versions) {
      const instances = await readGoldenRows(server.url, model);
      const alone = await inParallel(instances, 1, (row) => ask(server.url, model, row));
      const order = instances.flatMap((_, k) => [k, k, k]).sort(() => random() - 0.5);
      const runs = await readMetric(server.url, 'prediction_batch_rows_count', `model="${model}"`);
      const gathered = await inParallel(order, 64, (k) => ask(server.url, model, instances[k]));
      const shared =
        order.length /
        ((await readMetric(server.url, 'prediction_batch_rows_count', `model="${model}"`)) - runs);
      const difference = gathered.map(
        (reply, at): Difference => compare(reply, alone[order[at] as number] as Reply),
      );
      const mixedUp = difference.filter((it) => it.mixedUp > 0).length;
      const ulp = Math.max(...difference.map((it) => it.ulp));
      const absolute = Math.max(...difference.map((it) => it.absolute));
      rows += order.length;
      expect(mixedUp, model).toBe(0);
      expect(shared, `${model}: rows were gathered`).toBeGreaterThan(1.2);
      figures.push(`${model} ${ulp} ULP (${absolute.toExponential(0)}) at ${shared.toFixed(1)} rows a run`);
    }
    return `mixed-up rows 0 of ${rows}; ${figures.join(', ')}`;
  },
);

async function readGoldenRows(url: string, model: string): Promise<readonly unknown[]> {
  const detail = (await (await fetch(`${url}/models/${model}`)).json()) as { default_version: string };
  const golden = JSON.parse(readFileSync(`models/${model}/${detail.default_version}/golden.json`, 'utf8'));
  return golden.instances;
}

/** The distance of two answers, ids aside: in ULP if they agree to 1e-5, otherwise they count as mixed up. */
function compare(one: Reply, other: Reply): Difference {
  expect([one.status, other.status]).toEqual([200, 200]);
  const [a, b] = [one, other].map(({ text }) =>
    text.replace(/"(prediction_id|model|model_version)":"[^"]*"/g, ''),
  );
  const numbers = [a, b].map((text) => (text?.match(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g) ?? []).map(Number));
  const [left = [], right = []] = numbers;
  const isNear = left.every((x, k) => Math.abs(x - (right[k] as number)) <= 1e-5 * Math.max(1, Math.abs(x)));
  if (left.length !== right.length || !isNear) return { mixedUp: 1, ulp: 0, absolute: 0 };
  const pairs = left.map((x, k) => [x, right[k] as number] as const);
  return {
    mixedUp: 0,
    ulp: Math.max(0, ...pairs.map(([x, y]) => (Math.abs(x) < 1e-3 ? 0 : float32Steps(x, y)))),
    absolute: Math.max(0, ...pairs.map(([x, y]) => Math.abs(x - y))),
  };
}

fault(
  'E07',
  'a row that makes the engine throw fails alone, and the rows of the same run are answered',
  async ({ server }) => {
    const random = createRandom(8);
    const xs = Array.from({ length: 1_000 }, () => (random() < 0.1 ? 99 : Math.floor(random() * 4)));
    const runsBefore = await readMetric(server.url, 'prediction_batch_rows_count', 'model="places"');
    const replies = await inParallel(xs, 64, (x) => ask(server.url, 'places', { x }));
    const runs = (await readMetric(server.url, 'prediction_batch_rows_count', 'model="places"')) - runsBefore;
    const neighbours = replies.filter((_, k) => xs[k] !== 99);
    const failed = neighbours.filter(({ status }) => status !== 200).length;
    expect(failed).toBe(0);
    replies.forEach(({ status, body, text }, k) => {
      const x = xs[k] as number;
      expect([status, body.prediction ?? body.code]).toEqual(
        x === 99 ? [500, 'run_failed'] : [200, 10 * (x + 1)],
      );
      if (x === 99) expect(text).not.toMatch(/Gather|onnx|indices|node_modules|src\//i);
    });
    expect(neighbours.length / runs, 'rows were gathered').toBeGreaterThan(1.2);
    return `neighbours failed ${failed} of ${neighbours.length}, beside ${xs.length - neighbours.length} rows that threw`;
  },
  options,
);
