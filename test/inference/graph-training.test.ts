import { expect, test } from 'vitest';
import { readGraph } from '../../src/inference/graph.js';
import { findRandomness } from '../../src/inference/graph-training.js';
import { linearRegression, noisy, sineLayers } from '../helpers/onnx-models.js';

test('a graph that makes noise is found, and others are not', () => {
  expect(findRandomness(readGraph(noisy()))).toBe('RandomNormalLike');
  expect(findRandomness(readGraph(linearRegression([1])))).toBeUndefined();
  expect(findRandomness(readGraph(sineLayers(1, 2)))).toBeUndefined();
});
