import { integer, join, message, text } from './wire.js';

/** Small model files that would be very expensive to read, each with the check that refuses it. */
export interface Bomb {
  readonly name: string;
  readonly make: () => Uint8Array;
  readonly reason: RegExp;
}

const repeat = (bytes: Uint8Array, count: number): Uint8Array => Buffer.alloc(bytes.length * count, bytes);
const letters = (count: number): Uint8Array => Buffer.alloc(count, 'A');
const modelOf = (graph: Uint8Array, ...more: readonly Uint8Array[]): Uint8Array =>
  join([integer(1, 8), message(7, graph), ...more]);
const attribute = (name: string, content: Uint8Array, type: number): Uint8Array =>
  message(5, [text(1, name), content, integer(20, type)]);
const tree = (...attributes: readonly Uint8Array[]): Uint8Array =>
  message(1, [text(4, 'TreeEnsembleRegressor'), ...attributes, text(7, 'ai.onnx.ml')]);
const operator = (...attributes: readonly Uint8Array[]): Uint8Array =>
  message(1, [text(4, 'Op'), ...attributes]);
const oneInt = Uint8Array.of(0x40, 1);

export const bombs: readonly Bomb[] = [
  {
    name: 'a forest with a list of 150 MB',
    make: () => modelOf(tree(attribute('nodes_treeids', repeat(oneInt, 75_000_000), 7))),
    reason: /over 16,000,000 elements in a list/,
  },
  {
    name: 'a forest with a packed list of 20 MB',
    make: () =>
      modelOf(tree(attribute('nodes_treeids', message(8, repeat(Uint8Array.of(1), 20_000_000)), 7))),
    reason: /a list of over 4,000,000 elements/,
  },
  {
    name: 'numbers of ten bytes',
    make: () =>
      modelOf(
        operator(attribute('a', repeat(Uint8Array.of(0x40, ...new Array(9).fill(255), 1), 9_000_000), 7)),
      ),
    reason: /over 96,000,000 bytes in a list/,
  },
  {
    name: 'many lists that are each allowed',
    make: () => {
      const list = operator(attribute('a', repeat(oneInt, 15_000_000), 7));
      return modelOf(join(new Array(5).fill(list)));
    },
    reason: /over 64,000,000 elements in its lists/,
  },
  {
    name: 'unknown fields',
    make: () => join([integer(1, 8), repeat(Uint8Array.of(0x78, 1), 3_000_000), message(7, [])]),
    reason: /over 2,000,000 fields/,
  },
  {
    name: 'nodes without anything in them',
    make: () => modelOf(repeat(Uint8Array.of(10, 0), 200_000)),
    reason: /over 100,000 nodes/,
  },
  {
    name: 'subgraphs without anything in them',
    make: () =>
      modelOf(
        operator(
          ...new Array(40_000)
            .fill(0)
            .map((_, k) => attribute(`g${k}`, message(6, repeat(Uint8Array.of(10, 0), 3)), 5)),
        ),
      ),
    reason: /over 100,000 nodes/,
  },
  {
    name: 'a node with a million outputs',
    make: () => modelOf(operator(repeat(Uint8Array.of(0x12, 1, 65), 1_000_000))),
    reason: /over 50,000 parts in one value, tensor or attribute/,
  },
  {
    name: 'opsets in millions',
    make: () => modelOf(new Uint8Array(), repeat(message(8, integer(2, 17)), 1_100_000)),
    reason: /over 1,000,000 parts|over 2,000,000 fields/,
  },
  {
    name: 'an operator with a name of 100 MB',
    make: () => modelOf(message(1, message(4, letters(100_000_000)))),
    reason: /a text of over 16,384 bytes/,
  },
  {
    name: 'metadata of 50 MB',
    make: () => modelOf(new Uint8Array(), message(14, [text(1, 'k'), message(2, letters(50_000_000))])),
    reason: /a text of over 8,388,608 bytes/,
  },
  {
    name: 'metadata of 8 MB many times',
    make: () => {
      const entry = message(14, [text(1, 'k'), message(2, letters(8_000_000))]);
      return modelOf(new Uint8Array(), ...new Array(9).fill(entry));
    },
    reason: /over 67,108,864 bytes of names and metadata/,
  },
  {
    name: 'an input of a million dimensions',
    make: () => {
      const shape = repeat(message(1, integer(1, 1)), 1_000_000);
      return modelOf(message(11, [text(1, 'X'), message(2, message(1, [integer(1, 1), message(2, shape)]))]));
    },
    reason: /over 1,024 dimensions/,
  },
  {
    name: 'a shape in 40,000 pieces',
    make: () => {
      const piece = message(2, message(1, integer(1, 1)));
      const type = join([integer(1, 1), repeat(piece, 40_000)]);
      return modelOf(message(11, [text(1, 'X'), message(2, message(1, type))]));
    },
    reason: /over 1,024 dimensions|over 50,000 parts/,
  },
  {
    name: '20,000 outputs',
    make: () => modelOf(repeat(message(12, text(1, 'Y')), 20_000)),
    reason: /over 10,000 outputs/,
  },
];
