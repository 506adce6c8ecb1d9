import { expect, test } from 'vitest';
import { findRangeFault } from '../../../src/inference/onnx/external-ranges.js';
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import { externalInitializer, model, node, tensorValue } from '../../helpers/onnx.js';

const range = (tensor: string, offset: number, length?: number) => ({
  tensor,
  offset,
  ...(length !== undefined && { length }),
});

test.each([
  ['one range after the other', [range('a', 0, 8), range('b', 8, 8)], undefined],
  ['any order, with a gap', [range('b', 12, 4), range('a', 0, 8)], undefined],
  ['tied weights', [range('a', 0, 8), range('b', 0, 8)], undefined],
  ['no length', [range('a', 0), range('b', 8)], undefined],
  ['two ranges that overlap', [range('a', 0, 8), range('b', 4, 8)], '"a" and "b" overlap'],
  ['one range inside another', [range('a', 0, 16), range('b', 4, 4)], '"a" and "b" overlap'],
  ['a range beyond the end', [range('a', 12, 8)], '"a" lies beyond the end of the file, which has 16 bytes'],
  ['an offset beyond the end', [range('a', 17)], '"a" lies beyond the end of the file, which has 16 bytes'],
  ['a negative offset', [range('a', -8, 8)], 'the offset or length of "a" is no whole number'],
  [
    'an offset that is no number',
    [range('a', Number('8x'), 8)],
    'the offset or length of "a" is no whole number',
  ],
])('ranges in a file of 16 bytes: %s', (_name, ranges, expected) => {
  expect(findRangeFault(ranges, 16)).toBe(expected);
});

test('the reader returns the ranges by file and tensor', () => {
  const bytes = model({
    inputs: [tensorValue('X', 'float32', ['N', 2])],
    outputs: [tensorValue('Y', 'float32', ['N', 2])],
    nodes: [node('Add', ['X', 'a'], ['Z']), node('Add', ['Z', 'b'], ['Y'])],
    initializers: [
      externalInitializer('a', 'float32', [2], { location: 'w.bin', offset: 0, length: 8 }),
      externalInitializer('b', 'float32', [2], { location: 'w.bin', offset: 4, length: 8 }),
    ],
  });
  const { externalFiles } = readGraph(bytes);
  expect([...externalFiles]).toEqual([['w.bin', [range('a', 0, 8), range('b', 4, 8)]]]);
});
