import { initializer, int, ints, type ModelSource, model, node, tensor, tensorValue } from '../onnx.js';

/** A graph, and a short request that makes its run very long, or ends the process that runs it. */
export interface Costly {
  readonly name: string;
  readonly model: Uint8Array;
  readonly body: unknown;
}

const Y = tensorValue('Y', 'float32');
const size = (value: number) => ({ X: { shape: [1], data: [value] } });
const scalar = (value: number) => ({ X: value });

function costly(name: string, source: ModelSource, inputs: unknown): Costly {
  return { name, model: model({ outputs: [Y], ...source }), body: { inputs } };
}

/** A tensor whose size is the value, or a dimension, of an input. Each body has only a few bytes. */
export const sizedByValue: readonly Costly[] = [
  costly(
    'hann-window',
    {
      inputs: [tensorValue('X', 'int64', [])],
      nodes: [node('HannWindow', ['X'], ['window']), node('ReduceSum', ['window'], ['Y'])],
    },
    scalar(400_000_000),
  ),
  costly(
    'dft',
    {
      inputs: [tensorValue('X', 'int64', [])],
      initializers: [initializer('signal', 'float32', [1, 4, 1], [1, 2, 3, 4])],
      nodes: [
        node('DFT', ['signal', 'X'], ['spectrum'], { axis: int(1) }),
        node('ReduceSum', ['spectrum'], ['Y']),
      ],
    },
    scalar(50_000_017),
  ),
  costly(
    'constant-of-shape',
    {
      inputs: [tensorValue('X', 'int64', [1])],
      nodes: [node('ConstantOfShape', ['X'], ['zeros']), node('ReduceSum', ['zeros'], ['Y'])],
    },
    size(500_000_000),
  ),
  costly(
    'range-in-a-function',
    {
      inputs: [tensorValue('X', 'float32', [])],
      opsets: { 'a.domain': 1 },
      functions: [
        {
          domain: 'a.domain',
          name: 'Count',
          inputs: ['limit'],
          outputs: ['total'],
          nodes: [
            node('Constant', [], ['zero'], { value: tensor(initializer('z', 'float32', [], [0])) }),
            node('Constant', [], ['one'], { value: tensor(initializer('o', 'float32', [], [1])) }),
            node('Range', ['zero', 'limit', 'one'], ['numbers']),
            node('ReduceSum', ['numbers'], ['total']),
          ],
        },
      ],
      nodes: [node('a.domain:Count', ['X'], ['Y'])],
    },
    scalar(500_000_000),
  ),
  costly(
    'expand',
    {
      inputs: [tensorValue('X', 'int64', [1])],
      initializers: [initializer('one', 'float32', [1], [1])],
      nodes: [node('Expand', ['one', 'X'], ['ones']), node('ReduceSum', ['ones'], ['Y'])],
    },
    size(500_000_000),
  ),
  costly(
    'tile',
    {
      inputs: [tensorValue('X', 'int64', [1])],
      initializers: [initializer('one', 'float32', [1], [1])],
      nodes: [node('Tile', ['one', 'X'], ['ones']), node('ReduceSum', ['ones'], ['Y'])],
    },
    size(500_000_000),
  ),
  costly(
    'pad',
    {
      inputs: [tensorValue('X', 'int64', [1])],
      initializers: [initializer('one', 'float32', [1], [1]), initializer('front', 'int64', [1], [0n])],
      nodes: [
        node('Concat', ['front', 'X'], ['pads'], { axis: int(0) }),
        node('Pad', ['one', 'pads'], ['ones']),
        node('ReduceSum', ['ones'], ['Y']),
      ],
    },
    size(500_000_000),
  ),
  costly(
    'one-hot',
    {
      inputs: [tensorValue('X', 'int64', [1])],
      initializers: [initializer('place', 'int64', [1], [0n]), initializer('values', 'float32', [2], [0, 1])],
      nodes: [node('OneHot', ['place', 'X', 'values'], ['hot']), node('ReduceSum', ['hot'], ['Y'])],
    },
    size(400_000_000),
  ),
  costly(
    'resize',
    {
      inputs: [tensorValue('X', 'int64', [1])],
      initializers: [
        initializer('image', 'float32', [1, 1, 2, 2], [1, 2, 3, 4]),
        initializer('first', 'int64', [3], [1n, 1n, 2n]),
      ],
      nodes: [
        node('Concat', ['first', 'X'], ['sizes'], { axis: int(0) }),
        node('Resize', ['image', '', '', 'sizes'], ['large']),
        node('ReduceSum', ['large'], ['Y']),
      ],
    },
    size(200_000_000),
  ),
  costly(
    'attention',
    {
      inputs: [tensorValue('X', 'float32', ['N', 'L', 8])],
      nodes: [
        node('Transpose', ['X'], ['turned'], { perm: ints([0, 2, 1]) }),
        node('MatMul', ['X', 'turned'], ['scores']),
        node('Softmax', ['scores'], ['weights'], { axis: int(-1) }),
        node('MatMul', ['weights', 'X'], ['Y']),
      ],
    },
    { X: { shape: [1, 10_000, 8], base64: Buffer.alloc(320_000).toString('base64') } },
  ),
  costly(
    'embedding-mean',
    {
      inputs: [tensorValue('X', 'int64', ['N', 'L'])],
      initializers: [
        initializer('table', 'float32', [8, 768], new Array<number>(8 * 768).fill(0.5)),
        initializer('axes', 'int64', [1], [1n]),
      ],
      nodes: [node('Gather', ['table', 'X'], ['embedded']), node('ReduceMean', ['embedded', 'axes'], ['Y'])],
      opset: 18,
    },
    { X: { shape: [1, 500_000], base64: Buffer.alloc(4_000_000).toString('base64') } },
  ),
];

/** Known crashes by SIGFPE in onnxruntime 1.30: an empty tensor, and the smallest integer divided by -1. */
export function topScores(): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'float32', ['N', 'K', 4])],
    outputs: [tensorValue('Y', 'float32')],
    initializers: [initializer('one', 'int64', [1], [1n])],
    nodes: [node('TopK', ['X', 'one'], ['Y', 'places'])],
  });
}

/** a, b [N, 1] int32 → variable [N, 1] int32, the remainder of a by b: -2147483648 by -1 ends the process. */
export function wholeRemainder(): Uint8Array {
  const column = (name: string) => tensorValue(name, 'int32', ['N', 1]);
  return model({
    inputs: [column('a'), column('b')],
    outputs: [column('variable')],
    nodes: [node('Mod', ['a', 'b'], ['variable'])],
  });
}

/** a mod b + c, of int32 [N, 1]: as `wholeRemainder`, with rows that differ and end the process. */
export function wholeRemainderPlus(): Uint8Array {
  const column = (name: string) => tensorValue(name, 'int32', ['N', 1]);
  return model({
    inputs: [column('a'), column('b'), column('c')],
    outputs: [column('variable')],
    nodes: [node('Mod', ['a', 'b'], ['rest']), node('Add', ['rest', 'c'], ['variable'])],
  });
}
