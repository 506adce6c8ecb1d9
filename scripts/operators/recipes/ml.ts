import type { ElementType } from '../../../src/inference/tensors/tensor.js';
import { float, floats, initializer, ints, node, strings, tensor } from '../../../test/helpers/onnx.js';
import { type Attributes, of, type Recipe, x } from '../recipe.js';

const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'];
const kernels = ['LINEAR', 'POLY', 'RBF', 'SIGMOID'];
const isText = (type: ElementType | undefined) => type === 'string';

/** Operators of scikit-learn's converters and similar ones. Text lookups are tried with 8 MiB of text. */
export const ml: readonly Recipe[] = [
  { op: 'ai.onnx.ml:ArrayFeatureExtractor', inputs: [x(2, 4), of([2], [0, 2])], constants: [[], [0], [1]] },
  { op: 'ai.onnx.ml:ArrayFeatureExtractor', inputs: [x(1, 4), of([3, 1], [0, 2])], constants: [[], [0]] },
  { op: 'ai.onnx.ml:Binarizer', inputs: [x(2, 3)], attributes: [{}, { threshold: float(1.5) }] },
  {
    op: 'ai.onnx.ml:CategoryMapper',
    inputs: [of([3], [1, 2])],
    attributes: [
      { cats_int64s: [1, 2], cats_strings: strings(['a', 'b']), default_int64: -1, default_string: '?' },
    ],
  },
  {
    op: 'ai.onnx.ml:FeatureVectorizer',
    inputs: [x(2, 3), x(2, 1)],
    attributes: [{ inputdimensions: [3, 1] }],
  },
  {
    op: 'ai.onnx.ml:Imputer',
    inputs: [x(2, 3)],
    attributes: ([type]) =>
      type === 'int64' || type === 'int32'
        ? [
            { imputed_value_int64s: [7], replaced_value_int64: 1 },
            { imputed_value_int64s: [7, 8, 9], replaced_value_int64: 1 },
          ]
        : [
            { imputed_value_floats: floats([7]), replaced_value_float: float(Number.NaN) },
            { imputed_value_floats: floats([7, 8, 9]), replaced_value_float: float(1) },
          ],
  },
  {
    op: 'ai.onnx.ml:LabelEncoder',
    inputs: [of([2, 2], [1, 2, 5])],
    versions: [1, 1],
    attributes: [{ classes_strings: strings(['a', 'b']), default_int64: -1, default_string: '?' }],
  },
  {
    op: 'ai.onnx.ml:LabelEncoder',
    inputs: [of([2, 2], [1, 2, 5])],
    versions: [2, 99],
    attributes: (types, version) => labelEncoders(types[0], version),
  },
  {
    op: 'ai.onnx.ml:LinearClassifier',
    inputs: [x(2, 3)],
    outputs: 2,
    attributes: transforms.flatMap((post_transform): Attributes[] => [
      {
        coefficients: floats([1, 2, 3, -1, -2, -3]),
        intercepts: floats([0, 0]),
        classlabels_ints: [0, 1],
        post_transform,
      },
      {
        coefficients: floats([1, 2, 3, -1, -2, -3, 1, 1, 1]),
        intercepts: floats([0, 0, 1]),
        classlabels_strings: strings(['a', 'b', 'c']),
        multi_class: 1,
        post_transform,
      },
      { coefficients: floats([1, 2, 3]), intercepts: floats([0]), classlabels_ints: [0, 1], post_transform },
    ]),
  },
  {
    op: 'ai.onnx.ml:LinearRegressor',
    inputs: [x(2, 3)],
    attributes: transforms.map((post_transform) => ({
      coefficients: floats([1, 2, 3, 4, 5, 6]),
      intercepts: floats([0, 1]),
      targets: 2,
      post_transform,
    })),
  },
  {
    op: 'ai.onnx.ml:Normalizer',
    inputs: [x(2, 3)],
    attributes: ['MAX', 'L1', 'L2'].map((norm) => ({ norm })),
  },
  {
    op: 'ai.onnx.ml:OneHotEncoder',
    inputs: [of([2, 1], [1, 2])],
    attributes: ([type]) =>
      [0, 1].map((zeros) => ({
        zeros,
        ...(isText(type) ? { cats_strings: strings(['1', '2', '']) } : { cats_int64s: [1, 2, 5] }),
      })),
  },
  {
    op: 'ai.onnx.ml:Scaler',
    inputs: [x(2, 3)],
    attributes: [
      { offset: floats([1, 2, 3]), scale: floats([1, 2, 3]) },
      { offset: floats([1]), scale: floats([2]) },
    ],
  },
  {
    op: 'ai.onnx.ml:SVMRegressor',
    inputs: [x(2, 3)],
    attributes: kernels.flatMap((kernel_type) =>
      [0, 1].flatMap((one_class) =>
        transforms.map((post_transform) => ({
          kernel_type,
          one_class,
          post_transform,
          kernel_params: floats([0.5, 1, 2]),
          n_supports: 2,
          support_vectors: floats([1, 2, 3, 4, 5, 6]),
          coefficients: floats([1, -1]),
          rho: floats([0.5]),
        })),
      ),
    ),
  },
  {
    op: 'ai.onnx.ml:SVMClassifier',
    inputs: [x(2, 3)],
    outputs: 2,
    attributes: kernels.flatMap((kernel_type) =>
      transforms.flatMap((post_transform): Attributes[] =>
        [{}, { prob_a: floats([-1]), prob_b: floats([0]) }].flatMap((probabilities) =>
          [{ classlabels_ints: [0, 1] }, { classlabels_strings: strings(['a', 'b']) }].map((labels) => ({
            ...labels,
            ...probabilities,
            kernel_type,
            post_transform,
            kernel_params: floats([0.5, 1, 2]),
            vectors_per_class: [1, 1],
            support_vectors: floats([1, 2, 3, 4, 5, 6]),
            coefficients: floats([1, -1]),
            rho: floats([0.5]),
          })),
        ),
      ),
    ),
  },
  {
    op: 'ai.onnx.ml:SVMClassifier',
    inputs: [x(2, 3)],
    outputs: 2,
    attributes: transforms.flatMap((post_transform): Attributes[] => [
      {
        classlabels_ints: [0, 1, 2],
        kernel_type: 'LINEAR',
        post_transform,
        kernel_params: floats([0.5, 1, 2]),
        coefficients: floats([1, 2, 3, 4, 5, 6, 7, 8, 9]),
        rho: floats([0.5, 0.5, 0.5]),
      },
      {
        classlabels_ints: [0, 1, 2],
        kernel_type: 'RBF',
        post_transform,
        kernel_params: floats([0.5, 1, 2]),
        vectors_per_class: [1, 1, 1],
        support_vectors: floats([1, 2, 3, 4, 5, 6, 7, 8, 9]),
        coefficients: floats([1, -1, 1, -1, 1, -1]),
        rho: floats([0.5, 0.5, 0.5]),
        prob_a: floats([-1, -1, -1]),
        prob_b: floats([0, 0, 0]),
      },
    ]),
  },
  ...[{ classlabels_int64s: ints([0, 1, 2]) }, { classlabels_strings: strings(['a', 'b', 'c']) }].map(
    (labels): Recipe => ({
      op: 'ai.onnx.ml:ZipMap',
      inputs: [x(2, 3)],
      attributes: [labels],
      unfetched: ['maps'],
      nodes: ({ inputs, output, attributes }) => [
        node('ai.onnx.ml:ZipMap', inputs, ['maps'], attributes),
        node('Identity', inputs, [output]),
      ],
      signature: () => ({ takes: ['float32'], gives: ['maps'] }),
    }),
  ),
  {
    op: 'TfIdfVectorizer',
    inputs: [of([2, 4], [1, 2, 3])],
    attributes: ([type]) =>
      ['TF', 'IDF', 'TFIDF'].map((mode) => ({
        mode,
        max_gram_length: 2,
        min_gram_length: 1,
        max_skip_count: 1,
        ngram_counts: [0, 2],
        ngram_indexes: [0, 1, 2],
        ...(isText(type) ? { pool_strings: strings(['1', '2', '1', '2']) } : { pool_int64s: [1, 2, 1, 2] }),
      })),
  },
  {
    op: 'StringNormalizer',
    inputs: [of([3], ['A', 'b', 'c'])],
    attributes: [
      {},
      { case_change_action: 'LOWER', stopwords: strings(['b']) },
      { case_change_action: 'UPPER', is_case_sensitive: 1 },
      { case_change_action: 'NONE', stopwords: strings(['b']) },
    ],
  },
  {
    op: 'RegexFullMatch',
    inputs: [of([3], ['a', 'ab'])],
    attributes: [{ pattern: 'a*b' }, { pattern: '(a|aa)+(.*)*b' }],
  },
  {
    op: 'StringSplit',
    inputs: [of([3], ['a b', 'c'])],
    outputs: 2,
    attributes: [{}, { delimiter: 'b' }, { maxsplit: 1 }],
  },
];

function labelEncoders(type: ElementType | undefined, version: number): Attributes[] {
  const names = { float32: 'floats', int64: 'int64s', string: 'strings' } as const;
  const values = { floats: floats([1, 2]), int64s: ints([1, 2]), strings: strings(['1', '2']) };
  const from = names[type as keyof typeof names];
  const lists = (from === undefined ? [] : Object.values(names)).map((to) => ({
    [`keys_${from}`]: values[from as keyof typeof values],
    [`values_${to}`]: values[to],
  }));
  if (version < 4 || type === undefined || !['float64', 'int64', 'int16', 'string', 'float32'].includes(type))
    return lists;
  const tensors = (['float64', 'int64', 'int16', 'string', 'float32'] as const).map((to) => ({
    keys_tensor: tensor(initializer('keys', type, [2], [1, 2])),
    values_tensor: tensor(initializer('values', to, [2], [1, 2])),
    default_tensor: tensor(initializer('default', to, [1], [0])),
  }));
  return [...lists, ...tensors];
}
