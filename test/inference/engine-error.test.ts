import { expect, test } from 'vitest';
import { toRunError } from '../../src/inference/engine-error.js';

test.each([
  [
    "Non-zero status code returned while running Gather node. Name:'value' Status Message: indices element out of data bounds, idx=4711 must be within the inclusive range [-4,3]",
    "Non-zero status code returned while running Gather node. Name:'value' Status Message: indices element out of data bounds, idx=… must be within the inclusive range [-4,3]",
  ],
  [
    "Non-zero status code returned while running Cast node. Name:'to_float' Status Message: Failed to parse 'Ada 3' as a float, got {1,3}",
    "Non-zero status code returned while running Cast node. Name:'to_float' Status Message: Failed to parse '…' as a float, got {1,3}",
  ],
  ['the value -1.5e+30 and "Ada" are out of range', "the value … and '…' are out of range"],
])('a run that failed is told without what the input was: %s', (thrown, told) => {
  const error = toRunError(new Error(thrown));
  expect(error.message).toBe(told);
  expect(error.cause).toBe(undefined);
});
