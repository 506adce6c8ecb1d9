import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import type { Problem, ServiceError } from '../../../src/errors.js';
import type { ElementType } from '../../../src/inference/tensors/tensor.js';
import { createExampleRow } from '../../../src/models/features/example-row.js';
import { createFeatureSchema, type TypedFeature } from '../../../src/models/features/feature-schema.js';
import { findValueFault } from '../../../src/models/manifest/feature-value.js';
import type { Feature } from '../../../src/models/manifest/manifest.js';
import { createNearBody, oddValues } from '../../helpers/near-body.js';
import { createRandom } from '../../helpers/onnx/random.js';

const typed = (type: ElementType, feature: Partial<Feature> & Pick<Feature, 'type'>): TypedFeature => ({
  feature: { name: 'f', ...feature },
  type,
});

function problemsOf(features: readonly TypedFeature[], body: unknown): readonly Problem[] {
  try {
    createFeatureSchema('m', features).check(body);
    return [];
  } catch (error) {
    return (error as ServiceError).problems ?? [];
  }
}

/** One feature of each kind that the compiled check distinguishes, in each type of tensor that takes it. */
const everyKind: readonly TypedFeature[] = (
  [
    ['float32', { type: 'number' }],
    ['float64', { type: 'number', minimum: -1.5, maximum: 1e300 }],
    ['float16', { type: 'number', nullable: true }],
    ['float32', { type: 'number', minimum: -3.4028235677973366e38, nullable: true }],
    ['int8', { type: 'integer' }],
    ['uint8', { type: 'number', default: 3 }],
    ['int16', { type: 'integer', minimum: 0.5, maximum: 99.5 }],
    ['uint16', { type: 'integer', nullable: true, missing: 0 }],
    ['int32', { type: 'integer', minimum: -(2 ** 40) }],
    ['uint32', { type: 'number' }],
    ['int64', { type: 'integer' }],
    ['uint64', { type: 'integer', maximum: 2 ** 60 }],
    ['float32', { type: 'integer', minimum: 18, maximum: 100 }],
    ['float32', { type: 'boolean' }],
    ['bool', { type: 'boolean', nullable: true, missing: false, default: null }],
    ['string', { type: 'string' }],
    ['string', { type: 'string', nullable: true }],
    ['string', { type: 'string', enum: ['north', "so'uth", 'a\\b', 'line\nbreak', ''] }],
    ['int64', { type: 'string', codes: { north: 3, south: 7 }, default: 'north' }],
    ['float32', { type: 'string', enum: ['only'], nullable: true }],
  ] as const
).map(([type, feature], k) => ({ feature: { name: `f${k}`, ...feature } as Feature, type }));

const closed = everyKind.filter(({ feature }) => !feature.nullable && feature.default === undefined);

test.each([
  ['of every kind', everyKind],
  ['all required', closed],
])('the check refuses a body exactly if the explanation has a problem (features %s)', (_, features) => {
  const schema = createFeatureSchema('m', features);
  const random = createRandom(20_261_123);
  let accepted = 0;
  const misjudged: unknown[] = [];
  for (let k = 0; k < 20_000; k += 1) {
    const body = createNearBody(random, features);
    let isAccepted = false;
    try {
      isAccepted = schema.check(body) === body;
      if (isAccepted) accepted += 1;
      else misjudged.push(body);
    } catch (error) {
      if (!(error as ServiceError).problems?.length) misjudged.push(body);
    }
    if (isAccepted !== isSound(body, features)) misjudged.push(body);
  }
  expect(misjudged).toEqual([]);
  // The bodies must lie on both sides of the schema.
  expect(accepted).toBeGreaterThan(2_000);
  expect(accepted).toBeLessThan(18_000);
});

/** The rules once more, from the functions that the explanation uses. */
function isSound(body: unknown, features: readonly TypedFeature[]): boolean {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const row = new Map(Object.entries(body));
  for (const { feature, type } of features) {
    const isGiven = row.delete(feature.name);
    const value: unknown = (body as Record<string, unknown>)[feature.name];
    if (!isGiven && !feature.nullable && feature.default === undefined) return false;
    if (isGiven && findValueFault(value, feature, type) !== undefined) return false;
  }
  return row.size === 0;
}

test('the check and the explanation judge each odd value alike', () => {
  for (const it of everyKind) {
    for (const value of oddValues) {
      const said = findValueFault(value, it.feature, it.type);
      const problems = problemsOf([it], { [it.feature.name]: value });
      expect(
        problems.map(({ message }) => message),
        `${it.type} ${String(value)}`,
      ).toEqual(said === undefined ? [] : [said]);
    }
  }
});

test('every kind has an example that the check accepts', () => {
  const schema = createFeatureSchema('m', everyKind);
  expect(() => schema.check(createExampleRow(everyKind))).not.toThrow();
});

test.each<[string, TypedFeature, unknown]>([
  ['its own example', typed('float32', { type: 'number', example: 7, default: 8 }), 7],
  ['its default', typed('float32', { type: 'number', default: 8 }), 8],
  [
    'its default, if the tensor cannot hold its example',
    typed('uint8', { type: 'integer', example: 300, default: 3 }),
    3,
  ],
  ['zero within bounds', typed('float32', { type: 'number', minimum: -3, maximum: 4 }), 0],
  ['the minimum, without a maximum', typed('float32', { type: 'number', minimum: 5 }), 5],
  ['the maximum, without a minimum', typed('float64', { type: 'number', maximum: -5 }), -5],
  ['a whole number above a fraction', typed('int64', { type: 'integer', minimum: 0.5 }), 1],
  ['a whole number below a fraction', typed('int64', { type: 'integer', maximum: -0.5 }), -1],
  ['the first category', typed('int64', { type: 'string', codes: { b: 1, a: 2 } }), 'b'],
  ['false for a boolean', typed('bool', { type: 'boolean' }), false],
  ['null', typed('float32', { type: 'number', nullable: true, example: null }), null],
])('the example of a feature is %s', (_, feature, example) => {
  expect(createExampleRow([feature])['f']).toBe(example);
  expect(problemsOf([feature], { f: example })).toEqual([]);
});

test.each<[string, TypedFeature, unknown, string]>([
  [
    'below the minimum',
    typed('float32', { type: 'integer', minimum: 18 }),
    17,
    'must be at least 18, got 17',
  ],
  [
    'above the maximum',
    typed('float32', { type: 'integer', maximum: 100 }),
    130,
    'must be at most 100, got 130',
  ],
  ['a fraction', typed('float32', { type: 'integer' }), 1.5, 'must be a whole number, got 1.5'],
  [
    'a fraction in a tensor of integers',
    typed('int32', { type: 'number' }),
    1.5,
    'must be a whole number, got 1.5',
  ],
  [
    'beyond 2^53',
    typed('float64', { type: 'integer' }),
    2 ** 53,
    'must be from -9007199254740991 to 9007199254740991, got 9007199254740992',
  ],
  [
    'beyond int32',
    typed('int32', { type: 'integer' }),
    2 ** 31,
    'must be from -2147483648 to 2147483647, got 2147483648',
  ],
  ['below uint64', typed('uint64', { type: 'integer' }), -1, 'must be from 0 to 9007199254740991, got -1'],
  ['beyond float32', typed('float32', { type: 'number' }), 1e39, 'must fit a float32, got 1e+39'],
  ['beyond float16', typed('float16', { type: 'number' }), 65_520, 'must fit a float16, got 65520'],
  [
    'infinity',
    typed('float64', { type: 'number' }),
    Number.POSITIVE_INFINITY,
    'must be a finite number, got one beyond the range of numbers',
  ],
  ['a number as text', typed('float32', { type: 'number' }), '1', 'must be a number, got "1"'],
  ['null', typed('float32', { type: 'number' }), null, 'must be a number, got null'],
  [
    'an unknown category',
    typed('string', { type: 'string', enum: ['north', 'south'] }),
    'nroth',
    'must be one of "north", "south", got "nroth"',
  ],
  [
    'a value outside many categories',
    typed('string', { type: 'string', enum: Array.from({ length: 12 }, (_, k) => `c${k}`) }),
    'x',
    'must be one of "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", …, got "x"',
  ],
  ['NUL', typed('string', { type: 'string' }), 'a\0', 'must not hold NUL or half a surrogate pair'],
  [
    'long text',
    typed('bool', { type: 'boolean' }),
    '🙂'.repeat(1e6),
    `must be true or false, got "${'🙂'.repeat(31)}\ufffd…"`,
  ],
])('%s is refused with a message', (_, feature, value, message) => {
  expect(problemsOf([feature], { f: value })).toEqual([{ pointer: '/f', message }]);
});

test('all problems are listed together, with pointers and suggestions', () => {
  const features: TypedFeature[] = ['age', 'income', 'a/b~c'].map((name) => ({
    feature: { name, type: 'number' },
    type: 'float32',
  }));
  expect(problemsOf(features, { age: '42', incme: 1, 'x/~': 2 })).toEqual([
    { pointer: '/age', message: 'must be a number, got "42"' },
    { pointer: '/income', message: 'is required' },
    { pointer: '/a~1b~0c', message: 'is required' },
    { pointer: '/incme', message: 'is not a feature of m; did you mean income?' },
    { pointer: '/x~1~0', message: 'is not a feature of m' },
  ]);
  expect(problemsOf(features, undefined)).toEqual([
    { pointer: '', message: 'must be an object of the features, got nothing' },
  ]);
});

test('a name that every object inherits is an unknown feature', () => {
  const features = [typed('float32', { type: 'number' })];
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect(problemsOf(features, JSON.parse(`{"f": 1, "${name}": {"f": 1}}`))).toEqual([
      { pointer: `/${name}`, message: 'is not a feature of m' },
    ]);
  }
  expect(problemsOf(features, JSON.parse('{"__proto__": {"f": 1}}'))).toHaveLength(2);
});

/** CPU time of this process, which other processes of the machine do not change. */
function cpuMs(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1_000;
}

test('a body of 60,000 unknown names costs less than a second', () => {
  const features = Array.from(
    { length: 1_000 },
    (_, k): TypedFeature => ({
      feature: { name: `${'feature'.repeat(8)}_${k}`, type: 'number' },
      type: 'float32',
    }),
  );
  const schema = createFeatureSchema('m', features);
  const body = Object.fromEntries(
    Array.from({ length: 60_000 }, (_, k) => [`${'faeture'.repeat(8)}_${k}`, k]),
  );
  const started = process.cpuUsage();
  expect(() => schema.check(body)).toThrow('61000 problems; the first 100 are listed');
  expect(cpuMs(started)).toBeLessThan(1_000);
});

test('a row of 3,000 optional features is checked within 20 ms', () => {
  const features = Array.from(
    { length: 3_000 },
    (_, k): TypedFeature => ({
      feature: { name: `f${k}`, type: 'number', nullable: true },
      type: 'float32',
    }),
  );
  const { check } = createFeatureSchema('m', features);
  const body = Object.fromEntries(features.map(({ feature }) => [feature.name, 1]));
  const started = process.cpuUsage();
  for (let k = 0; k < 20; k += 1) check(body);
  expect(cpuMs(started) / 20).toBeLessThan(20);
  expect(() => check({ ...body, g: 1 })).toThrow('1 problem');
});

test('the documented schema accepts a body exactly if the check does', () => {
  const ajv = new Ajv2020({ strict: false });
  for (const it of everyKind) {
    const { schema, check } = createFeatureSchema('m', [it]);
    const isValid = ajv.compile(schema);
    const isTaken = (body: unknown) => {
      try {
        return check(body) !== undefined;
      } catch {
        return false;
      }
    };
    const bodies = [
      {},
      { unknown: 1 },
      [],
      null,
      ...oddValues.map((value) => ({ [it.feature.name]: value })),
    ];
    expect(bodies.some(isTaken)).toBe(true);
    // No schema can refuse half a surrogate pair.
    const comparable = bodies.filter((body) => !/\\ud[89a-f]/.test(JSON.stringify(body)));
    expect(
      comparable.filter((body) => isValid(body) !== isTaken(body)),
      JSON.stringify(it),
    ).toEqual([]);
  }
});
