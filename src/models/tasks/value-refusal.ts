import { type Problem, ServiceError } from '../../errors.js';
import { EngineError } from '../../inference/engine/engine-error.js';
import { pointerToken } from '../../text/describe-value.js';

/** Values of one input or feature that may be ids: whole numbers that index a table of the model. */
export interface Ids {
  readonly name: string;
  readonly pointer: string;
  readonly values: ArrayLike<number | bigint>;
  /** The place of a value in its tensor, such as ` at [0, 3]`. */
  readonly placeOf?: (index: number) => string;
}

/** Messages of onnxruntime 1.30 for an index beyond its table, in Gather, GatherND, ScatterND and similar operators. */
const outOfRange =
  /out of data bounds|Out of range value in index|invalid ind(?:ex|ice) found|index is out of range|input index out of range/;
const range = /within the inclusive range \[(-?\d+),(-?\d+)\]/;
const node = /Name:'([^']*)'/;

/**
 * Turns the error of a run that failed because of an id into `invalid_input` at that id, without the engine's text.
 * `inputOf` returns the input that holds a node's ids, if the graph shows it. Without a known id the error stays
 * `run_failed`, and says that a value was refused. Any other error is returned unchanged.
 */
export function explainRefusal(
  error: unknown,
  listIds: () => readonly Ids[],
  inputOf: (node: string) => string | undefined = () => undefined,
): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'run_failed') return error;
  const { cause } = error;
  if (!(cause instanceof EngineError) || !outOfRange.test(cause.message)) return error;
  const blamed = inputOf(node.exec(cause.message)?.[1] ?? '');
  const all = listIds();
  const ids = blamed === undefined ? all : all.filter(({ name }) => name === blamed);
  const bounds = range.exec(cause.message);
  const problems = bounds === null ? blameOnly(ids) : blameByRange(ids, Number(bounds[1]), Number(bounds[2]));
  if (problems.length > 0) {
    return new ServiceError('invalid_input', { detail: '1 problem', problems, cause });
  }
  const detail = 'The model refused a value of this input, which is out of the range that it takes.';
  return new ServiceError('run_failed', { detail, cause });
}

/** The only input with a value out of the range. Of several such inputs, the faulty one is unknown. */
function blameByRange(ids: readonly Ids[], lowest: number, highest: number): readonly Problem[] {
  const beyond = ids.flatMap((it) => {
    const index = findIndex(it.values, (value) => value < lowest || value > highest);
    return index < 0 ? [] : [{ ...it, index }];
  });
  const [first] = beyond;
  if (first === undefined) return [];
  const takes = `the model takes ${lowest} to ${highest}`;
  if (beyond.length > 1) {
    const names = beyond.map(({ name }) => name).join(', ');
    return [{ pointer: '', message: `holds a value that is out of range: ${takes} for one of ${names}` }];
  }
  const place = first.placeOf?.(first.index) ?? '';
  return [
    {
      pointer: first.pointer,
      message: `is out of range: ${takes}, got ${first.values[first.index]}${place}`,
    },
  ];
}

function blameOnly(ids: readonly Ids[]): readonly Problem[] {
  const [only, ...others] = ids;
  if (only === undefined || others.length > 0) return [];
  return [{ pointer: only.pointer, message: 'holds a value that is out of the range that the model takes' }];
}

function findIndex(values: ArrayLike<number | bigint>, is: (value: number | bigint) => boolean): number {
  for (let index = 0; index < values.length; index += 1)
    if (is(values[index] as number | bigint)) return index;
  return -1;
}

export const pointerTo = (...names: readonly string[]) =>
  names.map((name) => `/${pointerToken(name)}`).join('');
