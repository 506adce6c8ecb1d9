import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { findColumns } from '../../../src/jobs/queue/result-csv.js';
import { toJsonItems } from '../../../src/jobs/queue/result-json.js';

const failed = (index: number) =>
  `{"index":${index},"error":{"code":"invalid_input","title":"${'t'.repeat(200)}"}}\n`;
const lines = Buffer.from(Array.from({ length: 20_000 }, (_unused, k) => failed(k)).join(''));
const open = () => Readable.from([lines, Buffer.from(failed(20_000))]);

/** Turns of the event loop that others get until the promise is settled. */
async function countTurns(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let next: NodeJS.Immediate;
  const count = () => {
    turns += 1;
    next = setImmediate(count);
  };
  next = setImmediate(count);
  await work.finally(() => clearImmediate(next));
  return turns;
}

test('the search for the columns of a CSV gives turns to others', async () => {
  expect(await countTurns(findColumns(open()))).toBeGreaterThan(70);
});

test('result lines become the items of a list, and others get turns meanwhile', async () => {
  const pieces: Buffer[] = [];
  const read = async () => {
    for await (const piece of toJsonItems(open())) pieces.push(piece);
  };
  expect(await countTurns(read())).toBeGreaterThan(15);
  const items = JSON.parse(`[${Buffer.concat(pieces)}]`);
  expect(items.map(({ index }: { index: number }) => index)).toEqual(
    Array.from({ length: 20_001 }, (_unused, k) => k),
  );
});
