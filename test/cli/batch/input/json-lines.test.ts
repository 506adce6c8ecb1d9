import { expect, test } from 'vitest';
import { createJsonLines } from '../../../../src/cli/batch/input/json-lines.js';
import { createLineReader } from '../../../../src/jobs/readers/line-reader.js';
import { createRandom } from '../../../helpers/onnx/random.js';

const bounds = { maxRowBytes: 1_000 };

function read(
  reader: { push(chunk: Buffer): readonly unknown[]; end(): readonly unknown[] },
  pieces: Buffer[],
) {
  const rows = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  return rows.map((row) => (Buffer.isBuffer(row) ? row : Buffer.from(row as string)));
}

test('the lines are those of the server, whatever the bytes are and however they are cut', () => {
  const random = createRandom(7);
  const pick = (count: number) => Math.floor(random() * count);
  const parts = ['a', '{"x":1}', '\n', '\n', '\r\n', ' ', '\t', '€', '😀', '\u00a0'].map((it) =>
    Buffer.from(it),
  );
  parts.push(Buffer.from([0xff]), Buffer.from([0xe2, 0x82]));
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = Buffer.concat(Array.from({ length: pick(20) }, () => parts[pick(parts.length)] as Buffer));
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + pick(8);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    expect(read(createJsonLines(bounds), pieces)).toEqual(read(createLineReader(bounds), [bytes]));
  }
});

test('a line has a limit of bytes, which counts its index', () => {
  const lines = createJsonLines(bounds);
  lines.push(Buffer.from('1\n\n2\n3'));
  expect(() => lines.push(Buffer.alloc(1_000, '4'))).toThrow('Row 2 has more than 1000 bytes.');
});
