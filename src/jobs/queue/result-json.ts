import { nextTurnAlone } from '../../time/slices.js';

const [newline, comma] = [0x0a, 0x2c];
/** Bytes that are converted in one turn of the event loop. */
const bytesInTurn = 262_144;

/** Converts result lines to the items of a list of JSON, with commas between. A string of JSON has no line break. */
export async function* toJsonItems(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const lines of pieces) {
    if (!isFirst) yield Buffer.of(comma);
    isFirst = false;
    const end = lines.at(-1) === newline ? lines.length - 1 : lines.length;
    for (let at = 0; at < end; at += bytesInTurn) {
      if (at > 0) await nextTurnAlone();
      const items = Buffer.from(lines.subarray(at, Math.min(end, at + bytesInTurn)));
      for (let k = items.indexOf(newline); k >= 0; k = items.indexOf(newline, k + 1)) items[k] = comma;
      yield items;
    }
  }
}
