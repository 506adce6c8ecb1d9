import { describe, expect, test } from 'vitest';
import { loadOne, type Outcome } from '../../helpers/one-version.js';
import { initializer, int, model, node, tensorValue } from '../../helpers/onnx.js';
import { gatherByValue } from '../../helpers/onnx-models.js';

const tensor = { task: 'tensor' } as const;
const table = (name: string, rows: number) =>
  initializer(
    name,
    'float32',
    [rows, 2],
    Array.from({ length: rows * 2 }, (_, k) => k),
  );

/** ids, types [N, length] → value: two embeddings, of five words and of two types, added. */
const twoEmbeddings = () =>
  model({
    inputs: [tensorValue('ids', 'int64', ['N', 'length']), tensorValue('types', 'int64', ['N', 'length'])],
    outputs: [tensorValue('value', 'float32')],
    initializers: [table('words', 5), table('kinds', 2)],
    nodes: [
      node('Cast', ['types'], ['types_32'], { to: int(6) }),
      node('Gather', ['words', 'ids'], ['by_word']),
      node('Gather', ['kinds', 'types_32'], ['by_kind']),
      node('Add', ['by_word', 'by_kind'], ['value']),
    ],
  });

/** place [N, 1] → value [N], by an operator whose error message names no range. */
const byPlace = () =>
  model({
    inputs: [tensorValue('place', 'int64', ['N', 1])],
    outputs: [tensorValue('value', 'float32')],
    initializers: [initializer('table', 'float32', [3], [1, 2, 3])],
    nodes: [node('GatherND', ['table', 'place'], ['value'])],
  });

/** a, b [N, 1] → value: a table of four, by the sum of both. */
const bySum = () =>
  model({
    inputs: [tensorValue('a', 'int64', ['N', 1]), tensorValue('b', 'int64', ['N', 1])],
    outputs: [tensorValue('value', 'float32')],
    initializers: [initializer('table', 'float32', [4], [1, 2, 3, 4])],
    nodes: [node('Add', ['a', 'b'], ['sum']), node('Gather', ['table', 'sum'], ['value'])],
  });

const withoutEngine = (outcome: Outcome) =>
  expect(JSON.stringify(outcome)).not.toMatch(/Gather|node|indices|idx|status|onnx/i);

describe.each(['inline', 'isolated'] as const)('an id out of range, %s', (executor) => {
  test('is refused at its input, with the range and the place', async () => {
    using version = await loadOne({ ...tensor, runtime: { executor } }, twoEmbeddings());
    const ask = (ids: number[], types: number[]) => version.ask({ inputs: { ids: [ids], types: [types] } });
    expect(await ask([1, 4], [0, 1])).toMatchObject({ code: 'ok' });
    const word = await ask([1, 5], [0, 1]);
    expect(word).toMatchObject({
      code: 'invalid_input',
      problems: [
        { pointer: '/inputs/ids', message: 'is out of range: the model takes -5 to 4, got 5 at [0, 1]' },
      ],
    });
    withoutEngine(word);
    // The ids 3 and 4 are out of the range of `types`, but within their own.
    const kind = await ask([3, 4], [0, 2]);
    expect(kind.problems).toEqual([
      { pointer: '/inputs/types', message: 'is out of range: the model takes -2 to 1, got 2 at [0, 1]' },
    ]);
  });

  test('fails no other row of the same run', async () => {
    const features = [{ name: 'place', type: 'integer' as const }];
    const manifest = { task: 'regression' as const, features, runtime: { executor } };
    using version = await loadOne(manifest, gatherByValue());
    const answers = await Promise.all([0, 7, 3].map((place) => version.ask({ place })));
    expect(answers.map(({ code }) => code)).toEqual(['ok', 'invalid_input', 'ok']);
    expect(answers[1]?.problems).toEqual([
      { pointer: '/place', message: 'is out of range: the model takes -4 to 3, got 7' },
    ]);
  });
});

test('an id out of range names its input, if the message of the engine has no range', async () => {
  using version = await loadOne(tensor, byPlace());
  const outcome = await version.ask({ inputs: { place: [[7]] } });
  expect(outcome).toMatchObject({
    code: 'invalid_input',
    problems: [
      { pointer: '/inputs/place', message: 'holds a value that is out of the range that the model takes' },
    ],
  });
  withoutEngine(outcome);
});

test.each([
  ['of a number that the graph makes whole', 'regression', gatherByValue(), { x: 99 }],
  ['of a sum whose parts are in range', 'tensor', bySum(), { inputs: { a: [[3]], b: [[3]] } }],
] as const)(
  'an index that is no id of the request is a run_failed that says what was refused: %s',
  async (_, task, bytes, body) => {
    const manifest =
      task === 'tensor' ? tensor : { task, features: [{ name: 'x', type: 'number' as const }] };
    using version = await loadOne(manifest, bytes);
    const outcome = await version.ask(body);
    expect(outcome).toMatchObject({
      code: 'run_failed',
      detail: 'The model refused a value of this input, which is out of the range that it takes.',
    });
    withoutEngine(outcome);
  },
);
