import { expect, test } from 'vitest';
import { splitArray } from '../../../src/protocols/kserve-v1/json-array.js';

test.each([
  ['[]', []],
  ['[1,2.5,-3e-7]', ['1', '2.5', '-3e-7']],
  ['[[1,2],[3,[4]]]', ['[1,2]', '[3,[4]]']],
  ['["a,b","]","\\"","\\\\"]', ['"a,b"', '"]"', '"\\""', '"\\\\"']],
  ['[[],[[]]]', ['[]', '[[]]']],
])('the array %s is split into the texts of its elements', async (text, elements) => {
  expect(await splitArray(`{"x":${text},"y":[1]}`, 5)).toEqual({ elements, end: 5 + text.length });
});

test('a value that is no array gives undefined', async () => {
  expect(await splitArray('{"x":5}', 5)).toBe(undefined);
});

test('the elements of a long array equal those of JSON.parse', async () => {
  const values = Array.from({ length: 300_000 }, (_unused, k) => [k, `"${k},]\\`]);
  const text = JSON.stringify(values);
  const split = await splitArray(text, 0);
  expect(split?.end).toBe(text.length);
  expect(split?.elements.map((it) => JSON.parse(it))).toEqual(values);
});

test.each([
  ['numbers', '1234,'],
  ['texts of one letter', '"a",'],
])('a long array of %s is split in many turns of the loop', async (_name, element) => {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const text = `[${element.repeat(500_000)}1]`;
  await splitArray(text, 0);
  isOver = true;
  expect(turns).toBeGreaterThan(5);
});
