import { expect, test } from 'vitest';
import { findRandomness } from '../../../src/inference/analysis/graph-training.js';
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import { linearRegression, noisy, sineLayers } from '../../helpers/onnx-models.js';

test('an operator of random numbers is found, and other graphs have none', () => {
  expect(findRandomness(readGraph(noisy()))).toBe('RandomNormalLike');
  expect(findRandomness(readGraph(linearRegression([1])))).toBeUndefined();
  expect(findRandomness(readGraph(sineLayers(1, 2)))).toBeUndefined();
});
