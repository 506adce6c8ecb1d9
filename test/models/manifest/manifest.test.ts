import { expect, test } from 'vitest';
import { parseManifest } from '../../../src/models/manifest/parse-manifest.js';

const digest = 'a'.repeat(64);
const sound = {
  name: 'm',
  version: '1',
  task: 'classification',
  features: [
    { name: 'age', type: 'integer', minimum: 18, maximum: 100, unit: 'years', description: '…', example: 42 },
    { name: 'region', type: 'string', enum: ['north', 'south'], default: 'north' },
  ],
  sha256: { 'model.onnx': digest },
};

const parse = (file: unknown) => parseManifest(new TextEncoder().encode(JSON.stringify(file)));
const refusal = (file: unknown): string => {
  try {
    parse(file);
  } catch (error) {
    return (error as Error).message.replace('metadata.json: ', '');
  }
  return '';
};
/** The sound manifest with its first feature changed. */
const feature = (changes: object) => ({ ...sound, features: [{ ...sound.features[0], ...changes }] });
const text = (changes: object) => ({ ...sound, features: [{ name: 's', type: 'string', ...changes }] });
const output = (members: object) => ({ ...sound, output: members });

test('a sound manifest is returned unchanged, and bare names become features of type number', () => {
  expect(parse(sound)).toEqual(sound);
  expect(parse({ ...sound, features: ['a', 'b'] }).features).toEqual([
    { name: 'a', type: 'number' },
    { name: 'b', type: 'number' },
  ]);
});

test.each<[string, unknown, string]>([
  ['an array', [], '/ must be an object, got an array'],
  ['no name', { ...sound, name: undefined }, '/name is required'],
  [
    'a name in capitals',
    { ...sound, name: 'Credit' },
    '/name must be up to 64 of the characters a-z 0-9 . _ -, beginning with a letter or digit, got "Credit"',
  ],
  ['a version that is a number', { ...sound, version: 3 }, '/version must be text, got 3'],
  ['a misspelt key', { ...sound, feature: [] }, '/feature is not a known key; did you mean features?'],
  [
    'an unknown task',
    { ...sound, task: 'classifier' },
    '/task must be "classification" or "regression" or "tensor", got "classifier"',
  ],
  ['no features', { ...sound, features: [] }, '/features must not be empty'],
  [
    'features as an object',
    { ...sound, features: { age: 'integer' } },
    '/features must be an array, got an object',
  ],
  [
    'an unknown type',
    feature({ type: 'float' }),
    '/features/0/type must be "integer" or "number" or "string" or "boolean", got "float" (feature "age")',
  ],
  ['no type', feature({ type: undefined }), '/features/0/type is required (feature "age")'],
  ['a short key', feature({ min: 1 }), '/features/0/min is not a known key (feature "age")'],
  [
    'a bound that is text',
    feature({ minimum: '18' }),
    '/features/0/minimum must be a number, got "18" (feature "age")',
  ],
  [
    'names and objects mixed',
    { ...sound, features: [{ name: 'a', type: 'number' }, 'b'] },
    '/features/1 must be an object, got "b"',
  ],
  ['a name that is empty', { ...sound, features: ['a', ''] }, '/features/1 must not be empty'],
  [
    'a line break in a name',
    { ...sound, features: ['a\nb'] },
    '/features/0 must be text without control characters, got "a\\nb"',
  ],
  ['an enum of numbers', text({ enum: ['a', 1] }), '/features/0/enum/1 must be text, got 1 (feature "s")'],
  [
    'an enum with a repeat',
    text({ enum: ['a', 'a'] }),
    '/features/0/enum must not hold the same element twice (feature "s")',
  ],
  [
    'an enum with NUL',
    text({ enum: ['a\0'] }),
    '/features/0/enum must not hold NUL or half a surrogate pair, got "a\\u0000" (feature "s")',
  ],
  [
    'codes of text',
    text({ codes: { a: '1' } }),
    '/features/0/codes/a must be a number, got "1" (feature "s")',
  ],
  [
    'codes with a line break',
    text({ codes: { 'a\nb': '1' } }),
    '/features/0/codes/a\nb must be a number, got "1" (feature "s")',
  ],
  [
    'codes that miss a category',
    text({ enum: ['a', 'b'], codes: { a: 1 } }),
    '/features/0/codes has no code for "b" (feature "s")',
  ],
  [
    'bounds reversed',
    feature({ minimum: 101, example: undefined }),
    '/features/0/minimum 101 is above the maximum 100 (feature "age")',
  ],
  [
    'bounds without a whole number',
    feature({ minimum: 0.2, maximum: 0.8, example: undefined }),
    '/features/0/minimum 0.2 and the maximum 0.8 have no whole number between them (feature "age")',
  ],
  [
    'an enum of a number',
    feature({ enum: ['a'] }),
    '/features/0/enum is not for the type integer (feature "age")',
  ],
  ['bounds of text', text({ minimum: 1 }), '/features/0/minimum is not for the type string (feature "s")'],
  [
    'codes of a boolean',
    { ...sound, features: [{ name: 'b', type: 'boolean', codes: { a: 1 } }] },
    '/features/0/codes is not for the type boolean (feature "b")',
  ],
  [
    'an example out of bounds',
    feature({ example: 7 }),
    '/features/0/example must be at least 18, got 7 (feature "age")',
  ],
  [
    'a default of another type',
    feature({ default: 'x' }),
    '/features/0/default must be a whole number, got "x" (feature "age")',
  ],
  [
    'null as default, not nullable',
    feature({ default: null }),
    '/features/0/default must be a whole number, got null (feature "age")',
  ],
  ['a feature twice', { ...sound, features: ['a', 'a'] }, '/features/1/name "a" is used twice'],
  [
    'a wrong type in a named feature',
    {
      ...sound,
      features: [
        { name: 'age', type: 'integer' },
        { name: 'in/come', type: 'number', maximum: '9' },
      ],
    },
    '/features/1/maximum must be a number, got "9" (feature "in/come")',
  ],
  [
    'reversed bounds in a named feature',
    feature({ minimum: 101, example: undefined }),
    '/features/0/minimum 101 is above the maximum 100 (feature "age")',
  ],
  [
    'an inherited name',
    { ...sound, features: ['toString'] },
    '/features/0/name must not be toString, which every JSON object inherits',
  ],
  ['inputs as a list', { ...sound, inputs: ['age'] }, '/inputs must be an object, got an array'],
  [
    'an unknown feature',
    { ...sound, inputs: { X: ['age', 'incme', 'region'] } },
    '/inputs/X names "incme", which is not a feature',
  ],
  [
    'a feature in two inputs',
    { ...sound, inputs: { X: ['age'], R: ['age', 'region'] } },
    '/inputs/R names "age", which /inputs/X already uses',
  ],
  [
    'a feature in one input twice',
    { ...sound, inputs: { X: ['age', 'age', 'region'] } },
    '/inputs/X names "age" twice',
  ],
  ['a feature in no input', { ...sound, inputs: { X: ['age'] } }, '/inputs leaves out the feature "region"'],
  ['an input that is no list', { ...sound, inputs: { 'a\nb': 5 } }, '/inputs/a\nb must be an array, got 5'],
  ['classes of two kinds', output({ classes: ['a', 1] }), '/output/classes/1 must be text, got 1'],
  ['one class twice', output({ classes: [0, 0] }), '/output/classes must not hold the same element twice'],
  [
    'classes that are no whole numbers',
    output({ classes: [0.5, 1] }),
    '/output/classes/0 must be a whole number, got 0.5',
  ],
  ['classes that are no list', output({ classes: 2 }), '/output/classes must be an array, got 2'],
  ['a threshold in percent', output({ threshold: 30 }), '/output/threshold must be at most 1, got 30'],
  [
    'a threshold for three classes',
    output({ threshold: 0.5, classes: [0, 1, 2] }),
    '/output/threshold needs exactly two classes, and there are 3',
  ],
  [
    'an unknown activation',
    output({ activation: 'relu' }),
    '/output/activation must be "softmax" or "sigmoid", got "relu"',
  ],
  [
    'a key of another task, regression',
    output({ value: 'y' }),
    '/output/value is not for the task classification',
  ],
  [
    'a key of another task, classification',
    { ...sound, task: 'regression', output: { classes: [0, 1] } },
    '/output/classes is not for the task regression',
  ],
  [
    'a single name of a regression',
    { ...sound, task: 'regression', output: { names: ['a'] } },
    '/output/names must have at least 2 elements',
  ],
  ['features of a tensor', { ...sound, task: 'tensor' }, '/features is not for the task tensor'],
  [
    'a regression without features',
    { ...sound, task: 'regression', features: undefined },
    '/features is required for the task regression',
  ],
  ['no digests', { ...sound, sha256: {} }, '/sha256/model.onnx is required'],
  [
    'a digest in capitals',
    { ...sound, sha256: { 'model.onnx': 'A'.repeat(64) } },
    `/sha256/model.onnx must be 64 hexadecimal digits in lower case, got "${'A'.repeat(64)}"`,
  ],
  [
    'an engine option',
    { ...sound, runtime: { extra: {} } },
    '/runtime/extra is not a known key; known are executor, maxBatchRows, maxBatchDelayMs, intraOpNumThreads, timeoutMs, maxQueueRows, cache',
  ],
  ['a timeout of 0', { ...sound, runtime: { timeoutMs: 0 } }, '/runtime/timeoutMs must be at least 1, got 0'],
  [
    'a delay past the deadline',
    { ...sound, runtime: { timeoutMs: 5, maxBatchDelayMs: 5 } },
    '/runtime/maxBatchDelayMs must be less than timeoutMs, 5, got 5',
  ],
  [
    'a metric that is text',
    { ...sound, metrics: { accuracy: '94 %' } },
    '/metrics/accuracy must be a number, got "94 %"',
  ],
])('%s is refused by its path', (_, file, message) => {
  expect(refusal(file)).toBe(message);
});

test('every faulty key has one message, and a long list of messages is cut', () => {
  expect(
    refusal({ ...sound, name: 'A', version: 1, features: [{ name: 'a', type: 'x', q: 1 }] }).split('; '),
  ).toHaveLength(4);
  expect(refusal({ ...sound, features: Array.from({ length: 50 }, () => 'a') })).toMatch(/; and 41 more$/);
});

test('a manifest that is not JSON in UTF-8 is refused', () => {
  expect(() => parseManifest(new TextEncoder().encode('{'))).toThrow('not valid JSON');
  expect(() => parseManifest(new TextEncoder().encode('{"a":\n1,\n}'))).toThrow(
    /^metadata\.json is not valid JSON in UTF-8: .*(position \d+|unexpected)/i,
  );
  expect(() => parseManifest(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('not valid JSON in UTF-8');
  for (const text of ['{"description":"x\\ud83d"}', '{"features":[{"name":"\\udc00"}]}', '{"\\ud83dx":1}']) {
    expect(() => parseManifest(new TextEncoder().encode(text))).toThrow('half of a surrogate pair');
  }
});
