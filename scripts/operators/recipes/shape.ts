import { elementTypes } from '../../../src/inference/tensors/tensor.js';
import { elementCode } from '../../../test/helpers/onnx/tensor.js';
import { floats, initializer, node, tensor } from '../../../test/helpers/onnx.js';
import { absent, of, type Recipe, size, sizeScalar, x } from '../recipe.js';

const reduces =
  'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare';
const axesAsInputSince = (op: string) => (op === 'ReduceSum' ? 13 : 18);

/** Operators that read shapes, move elements, or reduce along an axis. */
export const shape: readonly Recipe[] = [
  { op: 'Shape', inputs: [x(2, 3)] },
  { op: 'Shape', inputs: [x(2, 3)], versions: [15, 99], attributes: [{ start: 1 }, { end: -1 }] },
  { op: 'Size', inputs: [x(2, 3)] },
  ...['Softmax', 'LogSoftmax', 'Hardmax'].map(
    (op): Recipe => ({ op, inputs: [x(2, 3)], attributes: [{}, { axis: 0 }, { axis: 1 }, { axis: -1 }] }),
  ),
  { op: 'Softmax', inputs: [x(2, 3, 2, 2)], attributes: [{ axis: 1 }, { axis: 3 }] },
  { op: 'LpNormalization', inputs: [x(2, 3)], attributes: [{}, { axis: 0 }, { p: 1 }, { axis: 1 }] },
  { op: 'Flatten', inputs: [x(2, 3, 2)], attributes: [{}, { axis: 0 }, { axis: 3 }, { axis: -1 }] },
  { op: 'Transpose', inputs: [x(2, 3)], attributes: [{}, { perm: [1, 0] }, { perm: [0, 1] }] },
  {
    op: 'Transpose',
    inputs: [x(2, 3, 4, 2)],
    attributes: [{ perm: [0, 2, 3, 1] }, { perm: [0, 3, 1, 2] }, { perm: [0, 2, 1, 3] }],
  },
  ...['ArgMax', 'ArgMin'].flatMap((op): Recipe[] => [
    {
      op,
      inputs: [x(2, 3)],
      attributes: [{}, { axis: 1 }, { axis: -1, keepdims: 0 }, { axis: 0, keepdims: 0 }],
    },
    { op, inputs: [x(2, 3)], attributes: [{ axis: 1, select_last_index: 1 }], versions: [12, 99] },
  ]),
  ...reduces.split(' ').flatMap((op): Recipe[] => [
    {
      op,
      inputs: [x(2, 3, 2)],
      versions: [1, axesAsInputSince(op) - 1],
      attributes: [
        {},
        { keepdims: 0 },
        { axes: [0] },
        { axes: [1], keepdims: 0 },
        { axes: [-1] },
        { axes: [0, 2] },
        { axes: [1, 2] },
      ],
    },
    {
      op,
      inputs: [x(2, 3, 2)],
      versions: [axesAsInputSince(op), 99],
      attributes: [{}, { keepdims: 0 }, { noop_with_empty_axes: 1 }],
    },
    ...[[0], [1], [-1], [0, 2], [1, 2]].map(
      (axes): Recipe => ({
        op,
        inputs: [x(2, 3, 2), size(...axes)],
        versions: [axesAsInputSince(op), 99],
        attributes: [{}, { keepdims: 0 }, { noop_with_empty_axes: 1 }],
        constants: [[], [1]],
      }),
    ),
  ]),
  {
    op: 'Concat',
    inputs: [x(2, 3), x(2, 3)],
    attributes: [{ axis: 0 }, { axis: 1 }, { axis: -1 }],
    constants: [[], [1]],
  },
  { op: 'Concat', inputs: [x(2, 3), x(2, 3), x(2, 1)], attributes: [{ axis: 1 }] },
  { op: 'Reshape', inputs: [x(2, 3), size(3, 2)], versions: [5, 13], constants: [[], [1]] },
  {
    op: 'Reshape',
    inputs: [x(2, 3), size(3, -1)],
    versions: [14, 99],
    attributes: [{}, { allowzero: 1 }],
    constants: [[], [1]],
  },
  { op: 'Squeeze', inputs: [x(2, 1, 3)], attributes: [{}], versions: [1, 99] },
  { op: 'Squeeze', inputs: [x(2, 1, 3)], attributes: [{ axes: [1] }], versions: [1, 11] },
  { op: 'Squeeze', inputs: [x(2, 1, 3), size(1)], versions: [13, 99], constants: [[], [1]] },
  { op: 'Unsqueeze', inputs: [x(2, 3)], attributes: [{ axes: [0] }, { axes: [1, 2] }], versions: [1, 11] },
  { op: 'Unsqueeze', inputs: [x(2, 3), size(1)], versions: [13, 99], constants: [[], [1]] },
  {
    op: 'Slice',
    inputs: [x(4, 3)],
    attributes: [
      { starts: [1], ends: [3], axes: [0] },
      { starts: [0, 1], ends: [-1, 9] },
    ],
    versions: [1, 1],
  },
  {
    op: 'Slice',
    inputs: [x(4, 3), size(1), size(3), size(0), size(1)],
    versions: [10, 99],
    constants: [[], [1, 2, 3, 4]],
  },
  {
    op: 'Slice',
    inputs: [x(4, 3), size(1), size(3), size(1)],
    versions: [10, 99],
    constants: [[], [1, 2, 3]],
  },
  {
    op: 'Slice',
    inputs: [x(4, 3), size(3), size(-9), size(1), size(-1)],
    versions: [10, 99],
    constants: [[], [1, 2, 3, 4]],
  },
  { op: 'Slice', inputs: [x(4, 3), size(1), size(3)], versions: [10, 99], constants: [[], [1, 2]] },
  { op: 'Split', inputs: [x(4, 4)], outputs: 2, attributes: [{}, { axis: 1 }], versions: [2, 13] },
  { op: 'Split', inputs: [x(4, 4)], outputs: 2, attributes: [{ axis: 1, split: [1, 3] }], versions: [2, 11] },
  {
    op: 'Split',
    inputs: [x(4, 4), size(1, 3)],
    outputs: 2,
    attributes: [{}, { axis: 1 }, { axis: -1 }],
    versions: [13, 99],
    constants: [[], [1]],
  },
  {
    op: 'Split',
    inputs: [x(4, 4)],
    outputs: 2,
    attributes: [{ num_outputs: 2 }, { axis: 1, num_outputs: 2 }],
    versions: [18, 99],
  },
  { op: 'Expand', inputs: [x(2, 1), size(2, 3)], constants: [[], [1], [0]] },
  { op: 'Tile', inputs: [x(2, 3), size(2, 1)], versions: [6, 99], constants: [[], [1]] },
  { op: 'ConstantOfShape', inputs: [size(2, 3)], attributes: () => [{}, ...fillings()] },
  { op: 'EyeLike', inputs: [x(3, 3)], attributes: () => [{}, { k: 1 }, ...dtypes()] },
  { op: 'Range', inputs: [sizeScalar(1), sizeScalar(9), sizeScalar(2)], constants: [[], [0, 2]] },
  { op: 'Trilu', inputs: [x(3, 3)], attributes: [{}, { upper: 0 }] },
  { op: 'Trilu', inputs: [x(2, 3, 3), of([], [1])], attributes: [{}, { upper: 0 }], constants: [[], [1]] },
  {
    op: 'OneHot',
    types: (['int64', 'int32', 'float32', 'float64', 'uint8'] as const).flatMap((a) =>
      (['int64', 'float32'] as const).flatMap((b) => elementTypes.map((c) => [a, b, c] as const)),
    ),
    inputs: [of([3], [0, 1, 2]), sizeScalar(3), of([2], [0, 1])],
    attributes: [{}, { axis: 0 }],
    constants: [[], [1, 2]],
  },
  {
    op: 'Pad',
    inputs: [x(2, 3)],
    attributes: ['constant', 'reflect', 'edge'].map((mode) => ({ mode, pads: [0, 1, 0, 1] })),
    versions: [2, 2],
  },
  {
    op: 'Pad',
    inputs: [x(2, 3), size(0, 1, 0, 1)],
    attributes: ['constant', 'reflect', 'edge'].map((mode) => ({ mode })),
    versions: [11, 99],
    constants: [[], [1]],
  },
  {
    op: 'Pad',
    inputs: [x(2, 3), size(0, 1, 0, 1)],
    attributes: [{ mode: 'wrap' }],
    versions: [19, 99],
    constants: [[], [1]],
  },
  {
    op: 'Pad',
    inputs: [x(2, 3), size(0, 1, 0, 1), of([], [7])],
    versions: [11, 99],
    constants: [[], [1], [1, 2]],
  },
  {
    op: 'Gather',
    inputs: [x(4, 3), of([2], [0, 2])],
    attributes: [{}, { axis: 1 }, { axis: -1 }],
    constants: [[], [0], [1]],
  },
  { op: 'Gather', inputs: [x(4, 3), of([], [0])], attributes: [{}, { axis: 1 }], constants: [[], [0], [1]] },
  {
    op: 'GatherElements',
    inputs: [x(3, 3), of([2, 3], [0, 1, 2])],
    attributes: [{}, { axis: 1 }],
    constants: [[], [0], [1]],
  },
  { op: 'GatherND', inputs: [x(3, 3), of([2, 2], [0, 1, 2])], constants: [[], [0], [1]] },
  {
    op: 'GatherND',
    inputs: [x(2, 3), of([2, 1], [0, 1])],
    attributes: [{ batch_dims: 1 }],
    versions: [12, 99],
    constants: [[], [1]],
  },
  ...['ScatterElements', 'Scatter'].map(
    (op): Recipe => ({
      op,
      inputs: [x(3, 3), of([2, 3], [0, 1, 2]), x(2, 3)],
      attributes: [{}, { axis: 1 }],
      constants: [[], [0], [1]],
    }),
  ),
  ...['add', 'mul', 'none'].flatMap((reduction): Recipe[] => scatters(reduction, 16)),
  ...['max', 'min'].flatMap((reduction): Recipe[] => scatters(reduction, 18)),
  { op: 'ScatterND', inputs: [x(3, 3), of([2, 1], [0, 2]), x(2, 3)], constants: [[], [0], [1]] },
  { op: 'TopK', inputs: [x(4, 5)], attributes: [{ k: 2 }, { k: 1, axis: 0 }], outputs: 2, versions: [1, 1] },
  {
    op: 'TopK',
    inputs: [x(4, 5), size(2)],
    attributes: [{}, { axis: 0 }, { axis: 1 }],
    outputs: 2,
    versions: [10, 99],
    constants: [[], [1]],
  },
  {
    op: 'TopK',
    inputs: [x(4, 5), size(2)],
    attributes: [{ largest: 0 }, { sorted: 0 }, { largest: 0, sorted: 0, axis: 1 }],
    outputs: 2,
    versions: [11, 99],
    constants: [[], [1]],
  },
  { op: 'TopK', inputs: [x(2, 100), size(90)], outputs: 2, versions: [10, 99], constants: [[], [1]] },
  {
    op: 'Compress',
    inputs: [x(3, 3), of([3], [1, 0, 1])],
    attributes: [{}, { axis: 1 }],
    constants: [[], [1]],
  },
  { op: 'NonZero', inputs: [of([2, 3], [0, 1])] },
  { op: 'Unique', inputs: [of([6], [1, 2, 2])], attributes: [{}, { sorted: 0 }, { axis: 0 }], outputs: 4 },
  { op: 'ReverseSequence', inputs: [x(3, 2), of([2], [2, 3])], constants: [[], [1]] },
  {
    op: 'ReverseSequence',
    inputs: [x(2, 3), of([2], [2, 3])],
    attributes: [{ batch_axis: 0, time_axis: 1 }],
  },
  { op: 'SpaceToDepth', inputs: [x(1, 2, 4, 4)], attributes: [{ blocksize: 2 }] },
  { op: 'DepthToSpace', inputs: [x(1, 8, 2, 2)], attributes: [{ blocksize: 2 }] },
  {
    op: 'DepthToSpace',
    inputs: [x(1, 8, 2, 2)],
    attributes: [
      { blocksize: 2, mode: 'DCR' },
      { blocksize: 2, mode: 'CRD' },
    ],
    versions: [11, 99],
  },
  { op: 'Det', inputs: [x(2, 3, 3)] },
  { op: 'CenterCropPad', inputs: [x(4, 4), size(2, 6)], constants: [[], [1]] },
  { op: 'Col2Im', inputs: [x(1, 4, 9), size(4, 4), size(2, 2)], constants: [[], [1, 2]] },
  ...['bilinear', 'nearest', 'linear', 'cubic', 'bicubic'].map(
    (mode): Recipe => ({
      op: 'GridSample',
      inputs: [x(1, 2, 3, 3), of([1, 2, 2, 2], [0, 0.5, -0.5])],
      attributes: ['zeros', 'border', 'reflection'].map((padding_mode) => ({ mode, padding_mode })),
    }),
  ),
  { op: 'AffineGrid', inputs: [x(1, 2, 3), size(1, 1, 3, 3)], constants: [[], [1]] },
  ...['nearest', 'linear', 'cubic'].flatMap((mode): Recipe[] => resizes(mode)),
  ...['nearest', 'linear'].flatMap((mode): Recipe[] => [
    {
      op: 'Upsample',
      inputs: [x(1, 1, 2, 2)],
      attributes: [{ mode, scales: floats([1, 1, 2, 2]) }],
      versions: [7, 7],
    },
    {
      op: 'Upsample',
      inputs: [x(1, 1, 2, 2), size(1, 1, 2, 2)],
      attributes: [{ mode }],
      versions: [9, 9],
      constants: [[], [1]],
    },
  ]),
  {
    op: 'TensorScatter',
    inputs: [x(2, 4, 3), x(2, 1, 3), of([2], [0, 1])],
    attributes: [{}, { mode: 'circular' }, { mode: 'linear' }],
    constants: [[], [2]],
  },
  {
    op: 'SequenceConstruct',
    inputs: [x(2, 3), x(2, 3)],
    nodes: ({ inputs, output }) => [node('SequenceConstruct', inputs, ['S']), first(output, 'S')],
    unfetched: ['S'],
    signature: ([a, b]) => ({ takes: [a ?? '', b ?? ''], gives: [`seq(${a})`] }),
  },
  {
    op: 'SequenceAt',
    inputs: [x(2, 3), of([], [0])],
    nodes: ({ inputs, output }) => [
      node('SequenceConstruct', [inputs[0] ?? '', inputs[0] ?? ''], ['S']),
      node('SequenceAt', ['S', inputs[1] ?? ''], [output]),
    ],
    types: elementTypes.flatMap((it) => [[it, 'int64'] as const, [it, 'int32'] as const]),
    constants: [[], [1]],
    signature: ([a, b]) => ({ takes: [`seq(${a})`, b ?? ''], gives: [a ?? ''] }),
  },
  {
    op: 'ConcatFromSequence',
    inputs: [x(2, 3), x(2, 3)],
    nodes: ({ inputs, output, attributes }) => [
      node('SequenceConstruct', inputs, ['S']),
      node('ConcatFromSequence', ['S'], [output], attributes),
    ],
    attributes: [{ axis: 0 }, { axis: 1 }, { axis: 0, new_axis: 1 }],
    types: elementTypes.map((it) => [it, it]),
    signature: ([a]) => ({ takes: [`seq(${a})`], gives: [a ?? ''] }),
  },
];

function first(output: string, sequence: string) {
  return node('SequenceLength', [sequence], [output]);
}

const fillings = () =>
  elementTypes
    .filter((it) => it !== 'string')
    .map((type) => ({ value: tensor(initializer('value', type, [1], [1])) }));
const dtypes = () => elementTypes.map((type) => ({ dtype: elementCode(type) }));

function scatters(reduction: string, since: number): Recipe[] {
  const versions = [since, 99] as const;
  const attributes = [{ reduction }];
  return [
    {
      op: 'ScatterElements',
      inputs: [x(3, 3), of([2, 3], [0, 1, 2]), x(2, 3)],
      attributes,
      versions,
      constants: [[], [1]],
    },
    {
      op: 'ScatterND',
      inputs: [x(3, 3), of([2, 1], [0, 2]), x(2, 3)],
      attributes,
      versions,
      constants: [[], [1]],
    },
  ];
}

function resizes(mode: string): Recipe[] {
  const image = x(1, 1, 4, 4);
  const scales = size(1, 1, 2, 2);
  const sizes = size(1, 1, 8, 8);
  const roi = of([8], [0, 0, 0, 0, 1, 1, 1, 1]);
  const transformations = ['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel'];
  const attributes = transformations.map((it) => ({ mode, coordinate_transformation_mode: it }));
  return [
    {
      op: 'Resize',
      inputs: [image, scales],
      attributes: [{ mode }],
      versions: [10, 10],
      constants: [[], [1]],
    },
    { op: 'Resize', inputs: [image, roi, scales], attributes, versions: [11, 99], constants: [[], [1, 2]] },
    { op: 'Resize', inputs: [image, absent, scales], attributes, versions: [13, 99], constants: [[], [2]] },
    {
      op: 'Resize',
      inputs: [image, absent, absent, sizes],
      attributes,
      versions: [13, 99],
      constants: [[], [3]],
    },
    {
      op: 'Resize',
      inputs: [image, absent, scales],
      attributes: [{ mode, antialias: 1 }],
      versions: [18, 99],
      constants: [[2]],
    },
    {
      op: 'Resize',
      inputs: [image, roi, scales],
      attributes: [{ mode, coordinate_transformation_mode: 'tf_crop_and_resize' }],
      versions: [11, 99],
      constants: [[2], [1, 2]],
    },
    {
      op: 'Resize',
      inputs: [image, absent, scales],
      attributes: ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'].map((nearest_mode) => ({
        mode,
        nearest_mode,
      })),
      versions: [13, 99],
      constants: [[2]],
    },
  ];
}
