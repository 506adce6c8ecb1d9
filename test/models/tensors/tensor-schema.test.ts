import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { type ElementType, elementTypes } from '../../../src/inference/tensors/tensor.js';
import { loadOne } from '../../helpers/one-version.js';
import { echo, unknownRank } from '../../helpers/onnx-models.js';

const ajv = new Ajv2020({ strict: false });

/** Values around the bounds of every type. */
const elements = [
  ...[7, 8, 15, 16, 31, 32, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits, -(2 ** bits), -(2 ** bits) - 1]),
  ...[0, -0, 0.5, 65_504, 65_519.99, 65_520, -65_520, 1e300, -1e300],
  ...[3.4028234663852886e38, 3.4028235677973362e38, 3.4028235677973366e38, -3.4028235677973366e38],
  ...[true, false, null, '', 'text', '\u0000', [], {}],
];
const shapes = (element: unknown) => [
  element,
  [],
  [[]],
  [[element]],
  [[element, element]],
  [
    [element, element],
    [element, element],
    [element, element],
  ],
  [[[element, element]]],
];

describe.each(elementTypes)('the documented schema of a %s tensor', (type: ElementType) => {
  test('accepts nested arrays exactly if the version does', async () => {
    using version = await loadOne({ task: 'tensor', runtime: { maxBatchRows: 2 } }, echo(type, ['N', 2]));
    const isValid = ajv.compile(version.loaded.task.documentSchema);
    const differences: unknown[] = [];
    let accepted = 0;
    for (const X of elements.flatMap(shapes)) {
      const { code, problems } = await version.ask({ inputs: { X } });
      if (code === 'ok') accepted += 1;
      if (isValid({ inputs: { X } }) !== (code === 'ok')) differences.push({ X, code, problems });
    }
    expect(differences).toEqual([]);
    expect(accepted).toBeGreaterThan(0);
  });

  test('is narrower than the schema of a request, which has all forms', async () => {
    using version = await loadOne({ task: 'tensor' }, echo(type, ['N', 2]));
    const { documentSchema, requestSchema, example } = version.loaded.task;
    const [isDocumented, isRequest] = [ajv.compile(documentSchema), ajv.compile(requestSchema)];
    expect([isDocumented(example), isRequest(example)]).toEqual([true, true]);
    const packed = { inputs: { X: { shape: [1, 2], data: [] } } };
    expect([isDocumented(packed), isRequest(packed)]).toEqual([false, true]);
    const bytes = { inputs: { X: { shape: [1, 2], base64: 'AAAA' } } };
    expect(isRequest(bytes)).toBe(type !== 'string');
  });
});

test('a tensor of any rank is a value or an array', async () => {
  using version = await loadOne({ task: 'tensor' }, unknownRank());
  const { documentSchema, answerSchema } = version.loaded.task;
  expect(documentSchema['properties'].inputs.properties).toMatchObject({
    X: { anyOf: [{ type: 'number' }, { type: 'array', items: {}, minItems: 1 }] },
  });
  expect(JSON.stringify(answerSchema)).not.toContain('base64');
});
