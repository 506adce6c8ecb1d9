import type { ElementType } from '../../../src/inference/tensors/tensor.js';
import type { ElementType as AnyType } from '../../../test/helpers/onnx.js';
import { floats, initializer, ints, strings, tensor } from '../../../test/helpers/onnx.js';
import { type Attributes, type Recipe, x } from '../recipe.js';

const modes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];
const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'];

/** Two trees of three nodes: the first compares feature 0, the second feature 2. `AS_TENSOR` is the form of float64. */
const nodes = (mode: string, missing: number, asTensor: boolean): Attributes => ({
  nodes_treeids: [0, 0, 0, 1, 1, 1],
  nodes_nodeids: [0, 1, 2, 0, 1, 2],
  nodes_featureids: [0, 0, 0, 2, 0, 0],
  ...list('nodes_values', [1.5, 0, 0, 2.5, 0, 0], asTensor),
  nodes_modes: strings([mode, 'LEAF', 'LEAF', mode, 'LEAF', 'LEAF']),
  nodes_truenodeids: [1, 0, 0, 1, 0, 0],
  nodes_falsenodeids: [2, 0, 0, 2, 0, 0],
  nodes_missing_value_tracks_true: [missing, 0, 0, missing, 0, 0],
});

const list = (name: string, values: readonly number[], asTensor: boolean): Attributes =>
  asTensor
    ? { [`${name}_as_tensor`]: tensor(initializer(name, 'float64', [values.length], values)) }
    : { [name]: floats(values) };

const leaves = (prefix: string, ids: readonly number[], asTensor: boolean): Attributes => ({
  [`${prefix}_treeids`]: [0, 0, 1, 1],
  [`${prefix}_nodeids`]: [1, 2, 1, 2],
  [`${prefix}_ids`]: ints(ids),
  ...list(`${prefix}_weights`, [0.25, 0.5, 0.75, 1], asTensor),
});

const forms = (types: readonly ElementType[], version: number) =>
  version >= 3 && types[0] === 'float64' ? [true, false] : [false];

function classifiers(types: readonly ElementType[], version: number): Attributes[] {
  return forms(types, version).flatMap((asTensor) => {
    const labels: Attributes[] = [
      { classlabels_int64s: [0, 1, 2] },
      { classlabels_strings: strings(['a', 'b', 'c']) },
    ];
    return [
      ...labels.flatMap((label) =>
        transforms.map((post_transform) => ({
          ...nodes('BRANCH_LEQ', 0, asTensor),
          ...leaves('class', [0, 1, 2, 0], asTensor),
          ...label,
          post_transform,
        })),
      ),
      // Two classes, of which only the second one has weights, as exporters write them.
      ...transforms.map((post_transform) => ({
        ...nodes('BRANCH_LEQ', 1, asTensor),
        ...leaves('class', [0, 0, 0, 0], asTensor),
        classlabels_int64s: [0, 1],
        post_transform,
      })),
      ...modes.map((mode) => ({
        ...nodes(mode, 1, asTensor),
        ...leaves('class', [0, 1, 2, 0], asTensor),
        classlabels_int64s: [0, 1, 2],
      })),
    ];
  });
}

function regressors(types: readonly ElementType[], version: number): Attributes[] {
  return forms(types, version).flatMap((asTensor) => [
    ...transforms.flatMap((post_transform) =>
      ['SUM', 'AVERAGE', 'MIN', 'MAX'].map((aggregate_function) => ({
        ...nodes('BRANCH_LEQ', 0, asTensor),
        ...leaves('target', [0, 0, 0, 0], asTensor),
        n_targets: 1,
        post_transform,
        aggregate_function,
      })),
    ),
    ...modes.map((mode) => ({
      ...nodes(mode, 1, asTensor),
      ...leaves('target', [0, 1, 0, 1], asTensor),
      n_targets: 2,
    })),
  ]);
}

/** The form of ai.onnx.ml 5. */
function ensembles(types: readonly ElementType[]): Attributes[] {
  const type = (types[0] ?? 'float32') as AnyType;
  const numbers = (name: string, values: readonly number[]) =>
    tensor(initializer(name, type, [values.length], values));
  return [0, 1, 2, 3, 4, 5].flatMap((mode) =>
    [0, 1, 2, 3].map((aggregate_function) => ({
      n_targets: 1,
      aggregate_function,
      tree_roots: [0, 1],
      nodes_featureids: [0, 2],
      nodes_splits: numbers('splits', [1.5, 2.5]),
      nodes_modes: tensor(initializer('modes', 'uint8', [2], [mode, mode])),
      nodes_truenodeids: [0, 2],
      nodes_falsenodeids: [1, 3],
      nodes_trueleafs: [1, 1],
      nodes_falseleafs: [1, 1],
      leaf_targetids: [0, 0, 0, 0],
      leaf_weights: numbers('weights', [0.25, 0.5, 0.75, 1]),
    })),
  );
}

export const trees: readonly Recipe[] = [
  { op: 'ai.onnx.ml:TreeEnsembleClassifier', inputs: [x(2, 3)], outputs: 2, attributes: classifiers },
  { op: 'ai.onnx.ml:TreeEnsembleRegressor', inputs: [x(2, 3)], attributes: regressors },
  // Many rows and one row: the engine has a loop for each.
  {
    op: 'ai.onnx.ml:TreeEnsembleRegressor',
    inputs: [x(1, 3)],
    attributes: (types, version) => regressors(types, version).slice(0, 4),
  },
  {
    op: 'ai.onnx.ml:TreeEnsembleRegressor',
    inputs: [x(300, 3)],
    attributes: (types, version) => regressors(types, version).slice(0, 4),
  },
  {
    op: 'ai.onnx.ml:TreeEnsembleClassifier',
    inputs: [x(300, 3)],
    outputs: 2,
    attributes: (types, version) => classifiers(types, version).slice(0, 6),
  },
  { op: 'ai.onnx.ml:TreeEnsemble', inputs: [x(2, 3)], attributes: ensembles },
];
