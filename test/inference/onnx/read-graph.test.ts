import { describe, expect, test } from 'vitest';
import { findTreeFault } from '../../../src/inference/analysis/tree-faults.js';
import { GraphError, type ModelGraph, readGraph } from '../../../src/inference/onnx/read-graph.js';
import { createRandom } from '../../helpers/onnx/random.js';
import * as wire from '../../helpers/onnx/wire.js';
import * as onnx from '../../helpers/onnx.js';
import * as cast from '../../helpers/onnx-models.js';

const X = onnx.tensorValue('X', 'float32', ['N', 1]);
const outside = (location: string) => onnx.externalInitializer(location, 'float32', [1], { location });
const inside = onnx.initializer('W', 'float32', [1], [1]);
const of = (source: onnx.ModelSource) => readGraph(onnx.model(source));
const inputOf = (value: onnx.Encoded<'value'>) => of({ inputs: [value] }).inputs[0];
const attributesOf = (attributes: Record<string, onnx.Encoded<'attribute'>>) =>
  of({ nodes: [onnx.node('Op', [], [], attributes)] }).nodes[0]?.attributes;

function faultOf(bytes: Uint8Array): unknown {
  try {
    readAll(readGraph(bytes));
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Reads the lists of a graph as well. */
function readAll(graph: ModelGraph): void {
  findTreeFault(graph);
  for (const { attributes } of [...graph.nodes, ...graph.nestedNodes]) {
    for (const value of attributes.values()) {
      if ('read' in value) value.read();
      if (value.kind === 'tensor') {
        value.readDims();
        value.readIntegers();
      }
    }
  }
  for (const { readIntegers } of graph.initializers.values()) readIntegers();
}

describe('constants', () => {
  const constantOf = (value: onnx.Encoded<'initializer'>) => {
    const [it] = of({ initializers: [value] }).initializers.values();
    return { dataType: it?.dataType, integers: it?.readIntegers() };
  };

  test('small integers are read, from raw bytes and from lists', () => {
    const raw = onnx.initializer('W', 'int64', [3], [-1, 0, 2n ** 63n - 1n]);
    expect(constantOf(raw)).toEqual({ dataType: 'int64', integers: [-1, 0, 2 ** 63] });
    expect(constantOf(onnx.initializer('W', 'int32', [2], [-7, 7]))).toEqual({
      dataType: 'int32',
      integers: [-7, 7],
    });
    const listed = wire.join([wire.integer(2, 7), wire.text(8, 'W'), wire.integers(7, [5n, -5n])]);
    expect(constantOf({ kind: 'initializer', bytes: listed })).toEqual({
      dataType: 'int64',
      integers: [5, -5],
    });
  });

  test('floats, long lists and external tensors are not read', () => {
    expect(constantOf(inside)).toEqual({ dataType: 'float32', integers: undefined });
    const large = onnx.initializer('W', 'int64', [5_000], new Uint8Array(40_000));
    expect(constantOf(large).integers).toBeUndefined();
    expect(
      constantOf(onnx.externalInitializer('W', 'int64', [1], { location: 'w' })).integers,
    ).toBeUndefined();
  });

  test('functions of the model are listed by domain and name', () => {
    const body = { inputs: [], outputs: [], nodes: [] };
    const { functions } = of({
      functions: [
        { ...body, domain: 'mine', name: 'F' },
        { ...body, domain: 'ai.onnx', name: 'Add' },
      ],
    });
    expect(functions).toEqual(new Set(['mine:F', ':Add']));
  });
});

describe('values', () => {
  test.each(onnx.ELEMENT_TYPES)('the element type %s', (type) => {
    expect(inputOf(onnx.tensorValue('X', type, ['N', 3, undefined]))).toEqual({
      name: 'X',
      kind: 'tensor',
      elementType: type,
      shape: ['N', 3, undefined],
    });
  });

  test('an unknown rank is not a scalar', () => {
    expect(inputOf(onnx.tensorValue('X', 'float32'))).not.toHaveProperty('shape');
    expect(inputOf(onnx.tensorValue('X', 'float32', []))?.shape).toEqual([]);
    expect(inputOf(onnx.tensorValue('X', 'float32', [-1, '', 0]))?.shape).toEqual([undefined, undefined, 0]);
  });

  test('sequences, maps, optionals and sparse tensors have the type of their elements', () => {
    const element = { kind: 'tensor', elementType: 'float32', shape: ['N'] };
    const map = { kind: 'map', keyType: 'int64', element: { ...element, shape: [] } };
    const kinds = of({
      outputs: [
        onnx.sequenceOfMapsValue('zip', 'int64', 'float32'),
        onnx.mapValue('map', 'int64', 'float32'),
        onnx.sequenceValue('sequence', 'float32', ['N']),
        onnx.optionalValue('optional', 'float32', ['N']),
        onnx.sparseValue('sparse', 'float32', ['N']),
      ],
    });
    expect(kinds.outputs).toEqual([
      { name: 'zip', kind: 'sequence', element: map },
      { name: 'map', ...map },
      { name: 'sequence', kind: 'sequence', element },
      { name: 'optional', kind: 'optional', element },
      { ...element, name: 'sparse', kind: 'sparse' },
    ]);
  });

  test('initializers that are listed as inputs are left out of the inputs', () => {
    const weights = onnx.tensorValue('W', 'float32', [1]);
    const sparse = onnx.sparseInitializer(
      onnx.initializer('S', 'float32', [1], [1]),
      onnx.initializer('', 'int64', [1], [0]),
      [4],
    );
    const inputs = [X, weights, onnx.tensorValue('S', 'float32', [4])];
    const graph = of({ inputs, initializers: [inside], sparseInitializers: [sparse] });
    expect(graph.inputs.map(({ name }) => name)).toEqual(['X']);
  });
});

describe('the model', () => {
  test('has its versions, producer and metadata', () => {
    const graph = of({
      irVersion: 9,
      opset: 18,
      mlOpset: 4,
      producer: 'skl2onnx',
      metadata: { a: 'b', c: '' },
    });
    expect(graph).toMatchObject({ irVersion: 9, producer: 'skl2onnx' });
    expect(graph.opsets).toEqual([
      { domain: '', version: 18 },
      { domain: 'ai.onnx.ml', version: 4 },
    ]);
    expect([...graph.metadata]).toEqual([
      ['a', 'b'],
      ['c', ''],
    ]);
  });

  test('has nodes with their attributes', () => {
    const node = of({ nodes: [onnx.node('ai.onnx.ml:Scaler', ['X', ''], ['Y'], { n: onnx.int(-7) })] })
      .nodes[0];
    expect(node).toMatchObject({
      opType: 'Scaler',
      domain: 'ai.onnx.ml',
      name: 'Y',
      inputs: ['X', ''],
      outputs: ['Y'],
    });
    expect(node?.attributes.get('n')).toEqual({ kind: 'int', value: -7 });
  });

  test("has one name for ONNX's own domain", () => {
    const graph = of({ nodes: [onnx.node('ai.onnx:Identity', ['X'], ['Y'])] });
    expect(graph.nodes[0]?.domain).toBe('');
    expect([...graph.opTypes]).toEqual(['Identity']);
  });

  test('lists the operators of subgraphs and functions', () => {
    const inner = { nodes: [onnx.node('Sin', ['X'], ['s'])] };
    const branch = { nodes: [onnx.node('If', ['c'], ['b'], { then_branch: onnx.graph(inner) })] };
    const graph = of({
      nodes: [onnx.node('Loop', [], ['L'], { body: onnx.graph(branch), more: onnx.graphs([inner]) })],
      functions: [
        { domain: 'mine', name: 'F', inputs: [], outputs: [], nodes: [onnx.node('mine:G', [], [])] },
      ],
    });
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(['Loop']);
    expect(graph.opTypes).toEqual(new Set(['Loop', 'If', 'Sin', 'mine:G']));
  });

  test('is read as one graph if the graph is in two pieces, as in the engine', () => {
    const rest = wire.message(7, wire.message(1, onnx.node('Abs', ['Y'], ['Z']).bytes));
    const split = wire.join([onnx.model({ inputs: [X], nodes: [onnx.node('Neg', ['X'], ['Y'])] }), rest]);
    expect(readGraph(split).nodes.map(({ opType }) => opType)).toEqual(['Neg', 'Abs']);
  });
});

describe('attributes', () => {
  test.each([
    [onnx.float(0.5), { kind: 'float', value: 0.5 }],
    [onnx.int(2 ** 40), { kind: 'int', value: 2 ** 40 }],
    [onnx.int(0), { kind: 'int', value: 0 }],
    [onnx.string('é'), { kind: 'string', value: 'é' }],
    [onnx.graph({}), { kind: 'other' }],
    [onnx.tensors([inside]), { kind: 'other' }],
  ])('%#: a single value', (attribute, value) => {
    expect(attributesOf({ a: attribute })?.get('a')).toEqual(value);
  });

  const NUMBERS = [
    0,
    1,
    -1,
    127,
    128,
    300,
    -300,
    2 ** 31,
    -(2 ** 31),
    2 ** 53 - 1,
    1 - 2 ** 53,
    2 ** 62,
    -(2 ** 63),
  ];
  test.each([
    ['ints', onnx.ints(NUMBERS.map(BigInt)), NUMBERS],
    ['floats', onnx.floats([0, 0.5, -2, Number.POSITIVE_INFINITY]), [0, 0.5, -2, Number.POSITIVE_INFINITY]],
    [
      'strings',
      onnx.strings(['LEAF', 'LEAF', 'LOAF', '', '', 'x'.repeat(200), 'é']),
      ['LEAF', 'LEAF', 'LOAF', '', '', 'x'.repeat(200), 'é'],
    ],
    ['ints', onnx.ints([]), []],
  ])('a list of %s', (kind, attribute, values) => {
    const value = attributesOf({ a: attribute })?.get('a');
    expect(value?.kind).toBe(kind);
    expect(value && 'read' in value && value.read()).toEqual(values);
  });

  test('packed lists have the elements of unpacked ones', () => {
    const ints = wire.message(8, Uint8Array.from(NUMBERS.flatMap((value) => wire.varint(BigInt(value)))));
    const floats = wire.message(7, new Uint8Array(Float32Array.of(1, 2.5).buffer));
    const read = (bytes: Uint8Array) => {
      const value = attributesOf({ a: { kind: 'attribute', bytes } })?.get('a');
      return value && 'read' in value && value.read();
    };
    expect(read(ints)).toEqual(NUMBERS);
    expect(read(floats)).toEqual([1, 2.5]);
  });

  test('a tensor has its type and shape', () => {
    const value = attributesOf({ a: onnx.tensor(onnx.initializer('', 'int64', [2, 1], [1, 2])) })?.get('a');
    expect(value).toMatchObject({ kind: 'tensor', dataType: 'int64' });
    expect(value?.kind === 'tensor' && value.readDims()).toEqual([2, 1]);
  });

  test('a node with two attributes of one name is refused', () => {
    const { bytes } = onnx.node('Cast', [], [], { to: onnx.int(1) });
    const twice = wire.join([bytes, wire.message(5, [wire.text(1, 'to'), wire.integer(3, 7)])]);
    expect(faultOf(onnx.model({ nodes: [{ kind: 'node', bytes: twice }] }))).toBeInstanceOf(GraphError);
  });
});

describe('external data is found', () => {
  const within = (name: string) => ({ initializers: [outside(name)] });
  const nodeWith = (attribute: onnx.Encoded<'attribute'>) => ({
    nodes: [onnx.node('Op', [], [], { a: attribute })],
  });
  const sparse = (values: onnx.Encoded<'initializer'>, indices: onnx.Encoded<'initializer'>) =>
    onnx.sparseInitializer(values, indices, [4]);
  test.each<[string, onnx.ModelSource]>([
    ['in an initializer', within('f')],
    ['in the values of a sparse initializer', { sparseInitializers: [sparse(outside('f'), inside)] }],
    ['in the indices of a sparse initializer', { sparseInitializers: [sparse(inside, outside('f'))] }],
    ['in a tensor attribute', nodeWith(onnx.tensor(outside('f')))],
    ['in a list of tensors', nodeWith(onnx.tensors([inside, outside('f')]))],
    ['in a sparse attribute', nodeWith(onnx.sparseTensor(sparse(inside, outside('f'))))],
    ['in a subgraph', nodeWith(onnx.graph(within('f')))],
    ['in a subgraph of a subgraph', nodeWith(onnx.graphs([nodeWith(onnx.graph(within('f')))]))],
    ['in a training graph', { training: [within('f')] }],
    [
      'in a function',
      {
        functions: [
          { domain: 'm', name: 'F', inputs: [], outputs: [], ...nodeWith(onnx.tensor(outside('f'))) },
        ],
      },
    ],
  ])('%s', (_where, source) => {
    expect(of(source).externalData).toEqual(['f']);
    expect(of({}).externalData).toEqual([]);
  });

  test('each file once, even without the flag of external data', () => {
    const flagless = wire.message(13, [wire.text(1, 'location'), wire.text(2, 'g')]);
    const odd = wire.message(7, wire.message(5, [flagless, wire.integer(14, 2n ** 32n + 1n)]));
    const model = wire.join([onnx.model({ initializers: [outside('f'), outside('f')] }), odd]);
    expect(readGraph(model).externalData).toEqual(['f', 'g']);
  });
});

describe('bytes that are no model are refused', () => {
  const small = cast.binaryClassifier();
  const nested = (depth: number): onnx.GraphSource =>
    depth === 0 ? {} : { nodes: [onnx.node('If', [], [], { a: onnx.graph(nested(depth - 1)) })] };

  test.each([
    ['an empty file', new Uint8Array(), 'is empty'],
    ['text', Buffer.from('<!doctype html><title>404'), 'is not an ONNX model'],
    ['a pointer of Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'git lfs pull'],
    ['the ORT format', Buffer.from('\x20\0\0\0ORTM\0\0\0\0', 'latin1'), 'ORT format'],
    ['no graph', wire.integer(1, 8), 'has no graph'],
    ['no IR version', wire.message(7, []), 'has no IR version'],
    ['half a model', small.subarray(0, 100), 'ends early at byte 100'],
    ['a group', Uint8Array.of(0x0b), 'a field of an unknown kind at byte 1'],
    ['an endless number', new Uint8Array(20).fill(0xff).fill(0x08, 0, 1), 'over 10 bytes at byte 1'],
    ['a length of 2^63', Uint8Array.of(0x3a, 255, 255, 255, 255, 255, 255, 255, 255, 127), 'at byte 1'],
    ['33 nested subgraphs', onnx.model(nested(34)), 'nests over 100 messages deep'],
    [
      'over 100,000 nodes',
      wire.message(
        7,
        new Uint8Array(200_002).map((_, i) => (i % 2 ? 0 : 10)),
      ),
      'nodes',
    ],
  ])('%s', (_what, bytes, reason) => {
    const fault = faultOf(bytes);
    expect(fault).toBeInstanceOf(GraphError);
    expect(String(fault)).toContain(reason);
  });

  test('32 nested subgraphs are read, as in the engine', () => {
    expect(faultOf(onnx.model(nested(32)))).toBeUndefined();
  });

  test('a model cut at any byte is refused, or read without the rest', () => {
    let refused = 0;
    for (let end = 0; end < small.length; end++) {
      const fault = faultOf(small.subarray(0, end));
      expect(fault === undefined || fault instanceof GraphError, `${fault}`).toBe(true);
      if (fault !== undefined) refused += 1;
    }
    // The imports of opsets come last: a file that ends between them is complete.
    expect(refused).toBeGreaterThan(small.length - 5);
  });

  test('2,000 mutants end in a graph or a GraphError', () => {
    const draw = createRandom(20_261_101);
    const models = [
      small,
      cast.grouped(),
      cast.endlessLoop(),
      cast.zipMap(),
      cast.cyclicTree(),
      cast.externalData('f'),
    ];
    let refused = 0;
    for (let i = 0; i < 2_000; i++) {
      const mutant = Uint8Array.from(models[i % models.length]!);
      const changes = 1 + Math.floor(draw() * 4);
      for (let j = 0; j < changes; j++) mutant[Math.floor(draw() * mutant.length)] = Math.floor(draw() * 256);
      const fault = faultOf(mutant);
      expect(fault === undefined || fault instanceof GraphError, `${fault}`).toBe(true);
      if (fault !== undefined) refused += 1;
    }
    expect(refused).toBeGreaterThan(100);
  });
});
