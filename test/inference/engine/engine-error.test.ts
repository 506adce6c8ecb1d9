import { expect, test } from 'vitest';
import { toRunError } from '../../../src/inference/engine/engine-error.js';

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
])('the message of a failed run hides the values of the input: %s', (thrown, message) => {
  const error = toRunError(new Error(thrown));
  expect(error.message).toBe(message);
  expect(error.cause).toBe(undefined);
});

test.each([
  ['letters', 'a'.repeat(60_000)],
  ['open brackets', '['.repeat(60_000)],
  ['places in sources', '/a.cc:1 '.repeat(60_000)],
  ['open quotes and spaces', "' [ ".repeat(60_000)],
])('a long message of the engine is shortened, and quickly: %s', (_, name) => {
  const started = performance.now();
  const { message } = toRunError(
    new Error(`while running Gather node. Name:'${name}' Status Message: bad ${name}`),
  );
  // Matching the whole message took 4.2 s for 60,000 letters.
  expect(performance.now() - started).toBeLessThan(200);
  expect(message.length).toBeLessThan(4_100);
});
