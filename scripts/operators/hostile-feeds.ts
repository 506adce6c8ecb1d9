import { sizeOf, type Tensor } from '../../src/inference/tensors/tensor.js';
import { createRandom } from '../../test/helpers/onnx/random.js';
import { type Case, dynamicPlaces, soundTensor } from './cases.js';
import { edgesOf, type Filling, placesOf, toTensor } from './element-types.js';
import type { RecipeInput } from './recipe.js';

/**
 * The hazard of a feed: elements (`value`), a dimension of 0 (`empty`), shapes that do not match (`shape`), another
 * number of dimensions (`rank`), a value that sets the size of an output (`size`), text of 8 MiB (`text`).
 */
export const hazards = ['sound', 'value', 'empty', 'shape', 'rank', 'size', 'text'] as const;
export type Hazard = (typeof hazards)[number];

export interface Feed {
  readonly hazard: Hazard;
  /** By place, without the inputs that are constants. */
  readonly tensors: ReadonlyMap<number, Tensor>;
  /** The inputs whose elements differ from the sound call; empty if shapes differ. */
  readonly changed: readonly number[];
}

/** The limit of a body. */
const maxTextLength = 8 * 1024 * 1024;
const mixedFeeds = 12;

/** The sound call first, then hostile ones, in one order in each process. */
export function* feedsOf(tried: Case): Generator<Feed> {
  const places = dynamicPlaces(tried);
  const sound = new Map(
    places.map((place) => [place, soundTensor(inputOf(tried, place), typeOf(tried, place))]),
  );
  const make = (
    hazard: Hazard,
    changes: ReadonlyMap<number, Tensor>,
    changed: readonly number[] = [],
  ): Feed => ({
    hazard,
    tensors: new Map([...sound, ...changes]),
    changed,
  });
  yield make('sound', new Map());
  yield* valueFeeds(tried, places, sound, make);
  yield* shapeFeeds(tried, places, sound, make);
}

type Make = (hazard: Hazard, changes: ReadonlyMap<number, Tensor>, changed?: readonly number[]) => Feed;
type Sound = ReadonlyMap<number, Tensor>;

const inputOf = ({ recipe }: Case, place: number) => recipe.inputs[place] as RecipeInput;
const typeOf = ({ types }: Case, place: number) => types[place] as Tensor['type'];

function* valueFeeds(tried: Case, places: readonly number[], sound: Sound, make: Make): Generator<Feed> {
  const isSize = (place: number) => inputOf(tried, place).isSize === true;
  const kindOf = (changed: readonly number[]): Hazard => (changed.some(isSize) ? 'size' : 'value');
  const filled = (place: number, values: readonly Filling[]) =>
    toTensor(typeOf(tried, place), (sound.get(place) as Tensor).dims, values);
  const soundOf = (place: number) => [...(sound.get(place) as Tensor).data] as Filling[];
  for (const place of places) {
    const type = typeOf(tried, place);
    const edges = edgesOf(type);
    for (const value of [...edges, ...placesOf(type)]) {
      yield make(kindOf([place]), new Map([[place, filled(place, [value])]]), [place]);
      // Only the first element, and only the last one.
      const base = type === 'float16' ? [1, 2, 3, 1, 2, 3, 1] : soundOf(place);
      if (base.length < 2) continue;
      for (const at of [0, base.length - 1]) {
        yield make(kindOf([place]), new Map([[place, filled(place, base.with(at, value))]]), [place]);
      }
    }
    if (type === 'string' && tried.isFirst) {
      const count = Math.max(1, (sound.get(place) as Tensor).data.length);
      for (const text of ['b'.repeat(maxTextLength), ' b'.repeat(maxTextLength / 2)]) {
        yield make(
          'text',
          new Map([[place, filled(place, [text, ...new Array<string>(count - 1).fill('b')])]]),
          [place],
        );
      }
    }
  }
  for (const [at, one] of places.entries()) {
    for (const other of places.slice(at + 1)) {
      for (const a of edgesOf(typeOf(tried, one))) {
        for (const b of edgesOf(typeOf(tried, other))) {
          yield make(
            kindOf([one, other]),
            new Map([
              [one, filled(one, [a])],
              [other, filled(other, [b])],
            ]),
            [one, other],
          );
        }
      }
    }
  }
  const random = createRandom(12);
  for (let round = 0; round < mixedFeeds; round += 1) {
    const changed = places.filter((place) => !isSize(place));
    const mixed = changed.map((place): [number, Tensor] => {
      const pool: readonly Filling[] = [
        ...edgesOf(typeOf(tried, place)),
        ...placesOf(typeOf(tried, place)),
        1,
        2,
        0,
      ];
      const values = Array.from({ length: 64 }, () => pool[Math.floor(random() * pool.length)] ?? 0);
      return [place, filled(place, values)];
    });
    yield make('value', new Map(mixed), changed);
  }
}

function* shapeFeeds(tried: Case, places: readonly number[], sound: Sound, make: Make): Generator<Feed> {
  const reshaped = (place: number, dims: readonly number[]): [number, Tensor] => {
    const { values = [1, 2, 3, 1, 2, 3, 1] } = inputOf(tried, place);
    return [place, toTensor(typeOf(tried, place), dims, values)];
  };
  const dimsOf = (place: number) => (sound.get(place) as Tensor).dims;
  const kindOf = (dims: readonly number[], place: number): Hazard => {
    if (sizeOf(dims) === 0) return 'empty';
    return dims.length === dimsOf(place).length ? 'shape' : 'rank';
  };
  const emptied: Map<number, Tensor>[] = [];
  for (const place of places) {
    for (const dims of otherShapes(dimsOf(place))) {
      const changes = new Map([reshaped(place, dims)]);
      if (sizeOf(dims) === 0) emptied.push(changes);
      yield make(kindOf(dims, place), changes);
    }
  }
  // One axis of all inputs together: length 0, then 1, then many.
  for (const length of [0, 1, 1_000]) {
    for (const axis of [0, 1, -1]) {
      const changes = new Map(
        places.map((place) => reshaped(place, withLength(dimsOf(place), axis, length))),
      );
      if (length === 0) emptied.push(changes);
      yield make(length === 0 ? 'empty' : 'shape', changes);
    }
  }
  // Empty inputs, together with hostile counts, indices and sizes.
  for (const changes of emptied) {
    for (const place of places) {
      const type = typeOf(tried, place);
      if (changes.has(place)) continue;
      for (const value of [...edgesOf(type).slice(0, 6), ...placesOf(type).slice(3, 5)]) {
        yield make('empty', new Map([...changes, [place, toTensor(type, dimsOf(place), [value])]]));
      }
    }
  }
}

function withLength(dims: readonly number[], axis: number, length: number): readonly number[] {
  const at = axis < 0 ? dims.length + axis : axis;
  return at < dims.length && at >= 0 ? dims.with(at, length) : dims;
}

/** Shapes near a sound one: each set of dimensions 0, each dimension 1 or larger, other ranks, no elements. */
function* otherShapes(dims: readonly number[]): Generator<readonly number[]> {
  const count = dims.length;
  for (let set = 1; set < 2 ** count; set += 1) {
    if (count > 3 && set & (set - 1) && set !== 2 ** count - 1) continue;
    yield dims.map((dim, axis) => (set & (1 << axis) ? 0 : dim));
  }
  for (const [axis, dim] of dims.entries()) {
    for (const length of [1, dim + 1, dim * 2, 17]) if (length !== dim) yield dims.with(axis, length);
  }
  yield* [[], [0], [1], [2], [0, 0], [1, 1], [1, 0, 1]];
  yield [1, ...dims];
  yield [...dims, 1];
  yield [0, ...dims];
  yield [...dims, 0];
  if (count > 0) {
    yield dims.slice(1);
    yield dims.slice(0, -1);
    yield dims.toReversed();
  }
}
