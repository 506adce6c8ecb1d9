import { expect, test } from 'vitest';
import { limitOutputs } from '../../../src/inference/engine/output-limit.js';

test('empty strings count towards the limit of an output', () => {
  const texts = (count: number) => ({
    out: { type: 'string' as const, dims: [count], data: new Array<string>(count).fill('') },
  });
  expect(() => limitOutputs(texts(300), 1_024)).not.toThrow();
  expect(() => limitOutputs(texts(450_000), 1_024)).toThrow(
    expect.objectContaining({ code: 'output_too_large', detail: expect.stringContaining('1350000 bytes') }),
  );
});
