import { float, strings } from '../../../test/helpers/onnx.js';
import { type Attributes, absent, of, type Recipe, size, sizeScalar, x } from '../recipe.js';

const padded: readonly Attributes[] = [
  {},
  { auto_pad: 'NOTSET' },
  { auto_pad: 'VALID' },
  { auto_pad: 'SAME_UPPER' },
  { auto_pad: 'SAME_LOWER' },
];
const ones = (dims: number[]) => of(dims, [1]);
const scale = of([], [0.5]);
const zero = of([], [0]);
const kernel = { kernel_shape: [2, 2] };
const poolings: readonly Attributes[] = [
  kernel,
  { ...kernel, strides: [2, 2], pads: [1, 1, 1, 1] },
  ...padded.map((it) => ({ ...it, ...kernel })),
];
const global = 'GlobalAveragePool GlobalMaxPool';
const directions = ['forward', 'reverse', 'bidirectional'];

/** Products of matrices, convolutions, pooling, normalization, recurrences, attention, quantization. */
export const network: readonly Recipe[] = [
  { op: 'MatMul', inputs: [x(2, 3), x(3, 4)], constants: [[], [1], [0]] },
  { op: 'MatMul', inputs: [x(2, 2, 3), x(3, 4)], constants: [[], [1]] },
  { op: 'MatMul', inputs: [x(2, 2, 3), x(2, 3, 4)], constants: [[], [1]] },
  { op: 'MatMul', inputs: [x(3), x(3)], constants: [[], [1]] },
  {
    op: 'Gemm',
    inputs: [x(2, 3), x(3, 4), x(4)],
    constants: [[], [1, 2], [1]],
    attributes: [{}, { alpha: float(0.5), beta: float(2) }, { beta: float(0) }],
  },
  { op: 'Gemm', inputs: [x(2, 3), x(4, 3), x(1, 4)], constants: [[], [1, 2]], attributes: [{ transB: 1 }] },
  { op: 'Gemm', inputs: [x(3, 2), x(3, 4), x(2, 4)], attributes: [{ transA: 1 }] },
  {
    op: 'Gemm',
    inputs: [x(2, 3), x(4, 3)],
    constants: [[], [1]],
    attributes: [{ transB: 1 }],
    versions: [11, 99],
  },
  { op: 'MatMulInteger', inputs: [x(2, 3), x(3, 4), zero, zero], constants: [[], [1, 2, 3], [1]] },
  { op: 'MatMulInteger', inputs: [x(2, 3), x(3, 4)], constants: [[], [1]] },
  { op: 'MatMulInteger', inputs: [x(2, 3), x(3, 4), zero, of([4], [0])], constants: [[], [1, 3]] },
  {
    op: 'QLinearMatMul',
    inputs: [x(2, 3), scale, zero, x(3, 4), scale, zero, scale, zero],
    constants: [[], [1, 2, 3, 4, 5, 6, 7]],
  },
  { op: 'QuantizeLinear', inputs: [x(2, 3), scale], constants: [[], [1]], versions: [10, 13] },
  { op: 'QuantizeLinear', inputs: [x(2, 3), scale, zero], constants: [[], [1, 2]] },
  {
    op: 'QuantizeLinear',
    inputs: [x(2, 3), of([3], [0.5]), of([3], [0])],
    versions: [13, 99],
    constants: [[], [1, 2]],
    attributes: [{ axis: 1 }],
  },
  { op: 'DequantizeLinear', inputs: [x(2, 3), scale], constants: [[], [1], [0, 1]] },
  { op: 'DequantizeLinear', inputs: [x(2, 3), scale, zero], constants: [[], [1, 2], [0, 1, 2]] },
  {
    op: 'DequantizeLinear',
    inputs: [x(2, 3), of([3], [0.5]), of([3], [0])],
    versions: [13, 99],
    constants: [[], [1, 2], [0, 1, 2]],
    attributes: [{ axis: 1 }],
  },
  { op: 'DynamicQuantizeLinear', inputs: [x(2, 3)], outputs: 3 },
  { op: 'Conv', inputs: [x(1, 2, 5, 5), x(3, 2, 3, 3), x(3)], attributes: padded, constants: [[], [1, 2]] },
  {
    op: 'Conv',
    inputs: [x(1, 2, 5, 5), x(3, 2, 3, 3)],
    attributes: [{ pads: [1, 1, 1, 1], strides: [2, 2] }, { dilations: [2, 2] }],
    constants: [[], [1]],
  },
  {
    op: 'Conv',
    inputs: [x(1, 2, 5), x(3, 2, 3), x(3)],
    attributes: [{}, { pads: [1, 1] }],
    constants: [[], [1, 2]],
  },
  { op: 'Conv', inputs: [x(1, 2, 4, 4, 4), x(3, 2, 2, 2, 2)], constants: [[], [1]] },
  {
    op: 'Conv',
    inputs: [x(1, 4, 5, 5), x(4, 1, 3, 3), x(4)],
    attributes: [{ group: 4, pads: [1, 1, 1, 1] }],
    constants: [[], [1, 2]],
  },
  { op: 'ConvInteger', inputs: [x(1, 2, 5, 5), x(3, 2, 3, 3), zero, zero], constants: [[], [1, 2, 3]] },
  { op: 'ConvInteger', inputs: [x(1, 2, 5, 5), x(3, 2, 3, 3)], constants: [[], [1]] },
  {
    op: 'QLinearConv',
    inputs: [x(1, 2, 5, 5), scale, zero, x(3, 2, 3, 3), scale, zero, scale, zero, x(3)],
    constants: [[], [1, 2, 3, 4, 5, 6, 7, 8]],
  },
  {
    op: 'QLinearConv',
    inputs: [x(1, 4, 5, 5), scale, zero, x(4, 1, 3, 3), of([4], [0.5]), of([4], [0]), scale, zero],
    attributes: [{ group: 4 }],
    constants: [[1, 2, 3, 4, 5, 6, 7]],
  },
  {
    op: 'ConvTranspose',
    inputs: [x(1, 2, 3, 3), x(2, 3, 2, 2), x(3)],
    attributes: [...padded, { strides: [2, 2] }, { output_padding: [1, 1], strides: [2, 2] }],
    constants: [[], [1, 2]],
  },
  { op: 'DeformConv', inputs: [x(1, 1, 3, 3), x(1, 1, 2, 2), of([1, 8, 2, 2], [0.5])], constants: [[], [1]] },
  ...['AveragePool', 'MaxPool'].flatMap((op): Recipe[] => [
    { op, inputs: [x(1, 2, 5, 5)], attributes: poolings },
    { op, inputs: [x(1, 2, 5)], attributes: [{ kernel_shape: [2] }] },
    {
      op,
      inputs: [x(1, 2, 5, 5)],
      attributes: [{ ...kernel, ceil_mode: 1, strides: [2, 2] }],
      versions: [10, 99],
    },
    {
      op,
      inputs: [x(1, 2, 5, 5)],
      attributes: [{ ...kernel, dilations: [2, 2] }],
      versions: [op === 'MaxPool' ? 10 : 19, 99],
    },
  ]),
  {
    op: 'AveragePool',
    inputs: [x(1, 2, 5, 5)],
    attributes: [{ ...kernel, count_include_pad: 1, pads: [1, 1, 1, 1] }],
  },
  {
    op: 'MaxPool',
    inputs: [x(1, 2, 5, 5)],
    outputs: 2,
    attributes: [kernel, { ...kernel, storage_order: 1 }],
    versions: [8, 99],
  },
  { op: 'LpPool', inputs: [x(1, 2, 5, 5)], attributes: poolings },
  {
    op: 'MaxUnpool',
    inputs: [x(1, 1, 2, 2), of([1, 1, 2, 2], [5, 7, 13, 15])],
    attributes: [{ ...kernel, strides: [2, 2] }],
    constants: [[], [1]],
  },
  {
    op: 'MaxUnpool',
    inputs: [x(1, 1, 2, 2), of([1, 1, 2, 2], [5, 7, 13, 15]), size(1, 1, 5, 5)],
    attributes: [{ ...kernel, strides: [2, 2] }],
    constants: [[], [1, 2]],
  },
  { op: 'GlobalLpPool', inputs: [x(1, 2, 3, 3)], attributes: [{}, { p: 1 }] },
  ...global.split(' ').flatMap((op): Recipe[] => [
    { op, inputs: [x(1, 2, 3, 3)] },
    { op, inputs: [x(1, 2, 3)] },
  ]),
  {
    op: 'MaxRoiPool',
    inputs: [x(1, 1, 6, 6), of([2, 5], [0, 0, 0, 3, 3])],
    attributes: [{ pooled_shape: [2, 2] }],
    constants: [[], [1]],
  },
  ...['avg', 'max'].map(
    (mode): Recipe => ({
      op: 'RoiAlign',
      inputs: [x(1, 1, 6, 6), of([2, 4], [0, 0, 3, 3]), of([2], [0])],
      attributes: [
        { mode, output_height: 2, output_width: 2 },
        { mode, sampling_ratio: 2, spatial_scale: float(0.5) },
      ],
      constants: [[], [1, 2]],
    }),
  ),
  ...['half_pixel', 'output_half_pixel'].map(
    (it): Recipe => ({
      op: 'RoiAlign',
      inputs: [x(1, 1, 6, 6), of([2, 4], [0, 0, 3, 3]), of([2], [0])],
      attributes: [{ coordinate_transformation_mode: it }],
      versions: [16, 99],
    }),
  ),
  {
    op: 'NonMaxSuppression',
    inputs: [of([1, 3, 4], [0, 0, 1, 1]), x(1, 1, 3), sizeScalar(2), of([1], [0.5]), of([1], [0])],
    attributes: [{}, { center_point_box: 1 }],
    constants: [[], [2, 3, 4]],
  },
  { op: 'LRN', inputs: [x(1, 3, 2, 2)], attributes: [{ size: 3 }] },
  {
    op: 'BatchNormalization',
    inputs: [x(2, 3), ones([3]), ones([3]), ones([3]), ones([3])],
    constants: [[], [1, 2, 3, 4]],
    versions: [9, 99],
  },
  {
    op: 'BatchNormalization',
    inputs: [x(2, 3, 2, 2), ones([3]), ones([3]), ones([3]), ones([3])],
    constants: [[], [1, 2, 3, 4]],
    versions: [7, 99],
  },
  { op: 'InstanceNormalization', inputs: [x(2, 3, 2), ones([3]), ones([3])], constants: [[], [1, 2]] },
  {
    op: 'LayerNormalization',
    inputs: [x(2, 3), ones([3]), ones([3])],
    constants: [[], [1, 2]],
    attributes: [{}, { axis: 1, epsilon: float(0.001) }, { axis: 0 }],
  },
  { op: 'LayerNormalization', inputs: [x(2, 2, 3), ones([3])], constants: [[], [1]] },
  { op: 'RMSNormalization', inputs: [x(2, 3), ones([3])], constants: [[], [1]] },
  {
    op: 'GroupNormalization',
    inputs: [x(2, 4, 3), ones([2]), ones([2])],
    attributes: [{ num_groups: 2 }],
    versions: [18, 18],
    constants: [[], [1, 2]],
  },
  {
    op: 'GroupNormalization',
    inputs: [x(2, 4, 3), ones([4]), ones([4])],
    attributes: [{ num_groups: 2 }],
    versions: [21, 99],
    constants: [[], [1, 2]],
  },
  { op: 'MeanVarianceNormalization', inputs: [x(2, 3, 2, 2)] },
  ...recurrences('RNN', 1),
  ...recurrences('GRU', 3),
  ...recurrences('LSTM', 4),
  ...[
    'i,i->',
    'ij,jk->ik',
    'bij,bjk->bik',
    'bhid,bhjd->bhij',
    'bhij,bhjd->bhid',
    'ij,ij->i',
    'ij->ji',
    'i,j->ij',
    'bij->bji',
    'bnd,de->bne',
    'b h i d, b h j d -> b h i j',
    'b h i j, b h j d -> b h i d',
  ].map(
    (equation): Recipe => ({
      op: 'Einsum',
      inputs: (equation.split('->')[0] ?? '').split(',').map((it) =>
        x(
          ...it
            .replaceAll(' ', '')
            .split('')
            .map(() => 2),
        ),
      ),
      attributes: [{ equation }],
      constants: [[], ...(equation.includes(',') ? [[1]] : [])],
    }),
  ),
  {
    op: 'Attention',
    inputs: [x(1, 2, 4), x(1, 2, 4), x(1, 2, 4)],
    attributes: [
      { q_num_heads: 2, kv_num_heads: 2 },
      { q_num_heads: 2, kv_num_heads: 2, is_causal: 1 },
    ],
  },
  {
    op: 'Attention',
    inputs: [x(1, 2, 2, 4), x(1, 2, 2, 4), x(1, 2, 2, 4), x(2, 2)],
    attributes: [{}, { softcap: float(2) }],
  },
  { op: 'RotaryEmbedding', inputs: [x(1, 2, 2, 4), x(1, 2, 2), x(1, 2, 2)], constants: [[], [1, 2]] },
  {
    op: 'RotaryEmbedding',
    inputs: [x(1, 2, 2, 4), x(3, 2), x(3, 2), of([1, 2], [0, 1])],
    constants: [[], [1, 2]],
  },
  ...['HannWindow', 'HammingWindow', 'BlackmanWindow'].map(
    (op): Recipe => ({
      op,
      inputs: [sizeScalar(8)],
      attributes: [{}, { periodic: 0 }, { output_datatype: 11 }],
    }),
  ),
  { op: 'MelWeightMatrix', inputs: [4, 16, 8000, 0, 4000].map(sizeScalar) },
  { op: 'DFT', inputs: [x(1, 8, 1)], attributes: [{}, { inverse: 1 }, { onesided: 1 }], versions: [17, 17] },
  { op: 'DFT', inputs: [x(1, 8, 1), sizeScalar(8)], versions: [17, 17], constants: [[], [1]] },
  {
    op: 'DFT',
    inputs: [x(1, 8, 1), sizeScalar(8), of([], [1])],
    versions: [20, 99],
    constants: [[], [1, 2]],
  },
  {
    op: 'DFT',
    inputs: [x(1, 8, 1), absent, of([], [1])],
    versions: [20, 99],
    constants: [[], [2]],
    attributes: [{}, { inverse: 1 }, { onesided: 1 }],
  },
  { op: 'STFT', inputs: [x(1, 16, 1), sizeScalar(4), x(8)], constants: [[], [1, 2]] },
  // Operators outside ONNX, from exporters and the engine's own tools.
  ...['Gelu', 'QuickGelu', 'FastGelu'].map(
    (op): Recipe => ({ op: `com.microsoft:${op}`, inputs: [x(2, 4)], types: [['float32']] }),
  ),
  {
    op: 'com.microsoft:BiasGelu',
    inputs: [x(2, 4), x(4)],
    types: [['float32', 'float32']],
    constants: [[], [1]],
  },
  {
    op: 'com.microsoft:FusedMatMul',
    inputs: [x(3, 2), x(3, 4)],
    types: [['float32', 'float32']],
    attributes: [{ transA: 1 }],
    constants: [[], [1]],
  },
  {
    op: 'com.microsoft:FusedGemm',
    inputs: [x(2, 3), x(3, 4), x(4)],
    types: [['float32', 'float32', 'float32']],
    attributes: ['Relu', 'Sigmoid', 'Tanh'].map((activation) => ({ activation })),
    constants: [[], [1, 2]],
  },
  {
    op: 'com.microsoft:SkipLayerNormalization',
    inputs: [x(1, 2, 4), x(1, 2, 4), ones([4]), ones([4])],
    types: [['float32', 'float32', 'float32', 'float32']],
    constants: [[], [2, 3]],
  },
  ...['float32', 'float64'].flatMap((type): Recipe[] =>
    ['euclidean', 'sqeuclidean'].map((metric) => ({
      op: 'com.microsoft:CDist',
      inputs: [x(2, 3), x(4, 3)],
      types: [[type as 'float32', type as 'float32']],
      attributes: [{ metric }],
      constants: [[], [1]],
    })),
  ),
  {
    op: 'com.microsoft:DynamicQuantizeMatMul',
    inputs: [x(2, 3), x(3, 4), scale, zero],
    types: [
      ['float32', 'uint8', 'float32', 'uint8'],
      ['float32', 'int8', 'float32', 'int8'],
    ],
    constants: [[], [1, 2, 3]],
  },
];

function recurrences(op: string, gates: number): Recipe[] {
  const weights = (both: number) => [x(both, gates * 3, 2), x(both, gates * 3, 3), x(both, gates * 6)];
  const names = (count: number) =>
    strings(Array.from({ length: count }, (_, i) => ['Sigmoid', 'Tanh', 'Relu'][i % 3] ?? ''));
  const perDirection = op === 'LSTM' ? 3 : op === 'GRU' ? 2 : 1;
  return directions.flatMap((direction): Recipe[] => {
    const both = direction === 'bidirectional' ? 2 : 1;
    const attributes: Attributes[] = [
      { hidden_size: 3, direction },
      { hidden_size: 3, direction, clip: float(1) },
    ];
    attributes.push({ hidden_size: 3, direction, activations: names(perDirection * both) });
    if (op === 'GRU') attributes.push({ hidden_size: 3, direction, linear_before_reset: 1 });
    return [
      {
        op,
        inputs: [x(4, 1, 2), ...weights(both)],
        attributes,
        outputs: 2,
        constants: [[], [1, 2, 3]],
        versions: [7, 99],
      },
      {
        op,
        inputs: [x(4, 1, 2), ...weights(both), of([1], [3]), x(both, 1, 3)],
        attributes: attributes.slice(0, 1),
        outputs: 2,
        constants: [[], [1, 2, 3]],
        versions: [7, 99],
      },
      ...(op === 'LSTM'
        ? [
            {
              op,
              inputs: [x(4, 1, 2), ...weights(both), absent, x(both, 1, 3), x(both, 1, 3)],
              attributes: attributes.slice(0, 1),
              outputs: 3,
              constants: [[], [1, 2, 3]],
              versions: [7, 99] as const,
            },
          ]
        : []),
    ];
  });
}
