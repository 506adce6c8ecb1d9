import { fromFloat16 } from '../../inference/tensors/float16.js';
import type { Tensor, Tensors } from '../../inference/tensors/tensor.js';

/** Different samples (rows of features or of tensors): the output of each alone, and how to run several together. */
export interface Company {
  readonly alone: readonly Tensors[];
  readonly maxRows: number;
  /** Runs the samples with these indexes together, in this order. */
  run(numbers: readonly number[]): Promise<Tensors>;
  /** Rows in the outputs of a run of `samples`: more than `samples` if the graph fixes its batch size. */
  rowsOf(samples: number): number;
  /** Number of samples of ordinary size, which come first: larger samples hide the changes that small ones cause. */
  readonly ordinary: number;
  /** Whether outputs are cut along their first dimension; if so, that dimension must count the rows. */
  readonly isCut: boolean;
}

/** How the answer to a row in a shared run differs from its answer alone. */
export interface CompanyFault {
  readonly output: string;
  /** Share of the largest value in that column of the answers; Infinity for texts, whole numbers and shapes. */
  readonly difference: number;
  readonly rows: number;
}

/**
 * The largest difference that rounding explains, as a share of the largest value in the column: kernels for one row and
 * for many add in another order. Measured: docs/decisions/row-independence.md.
 */
export const maxRounding = 1e-5;
const maxRounding16 = 1e-2;
/** The scale of a column is at least this share of the largest value of the output. */
const minScale = 1e-6;
/**
 * The same for outputs that add up to 1. A small probability is as exact as the largest one: the exponents that it is
 * made of are rounded together.
 */
const minDistributionScale = 0.1;

/**
 * Checks whether a row's answer depends on the other rows of its run. Runs two samples together, then `maxRows`, each
 * in two orders, and compares each row with its answer alone. Returns the largest difference that rounding does not
 * explain. Throws what a run throws.
 */
export async function findCompanyFault(company: Company): Promise<CompanyFault | undefined> {
  const { alone, maxRows } = company;
  const compare = createComparison(company);
  const cycle = (samples: number) => Array.from({ length: maxRows }, (_unused, k) => k % samples);
  const ordinary = Math.max(2, Math.min(company.ordinary, alone.length));
  const orders = [
    [0, 1],
    [1, 0],
    [ordinary - 1, ordinary - 2],
    cycle(ordinary),
    cycle(ordinary).reverse(),
    ...(ordinary < alone.length
      ? [[alone.length - 1, 0], cycle(alone.length), cycle(alone.length).reverse()]
      : []),
  ];
  let worst: CompanyFault | undefined;
  for (const numbers of orders) {
    const fault = compare(numbers, await company.run(numbers));
    if (fault !== undefined && fault.difference > (worst?.difference ?? 0)) worst = fault;
  }
  return worst;
}

/** Whether a second run of each sample alone gives the same answer. A graph may draw numbers or keep a state. */
export async function isRepeatable(company: Company): Promise<boolean> {
  const compare = createComparison(company);
  for (let k = 0; k < company.alone.length; k += 1) {
    if (compare([k], await company.run([k])) !== undefined) return false;
  }
  return true;
}

type Comparison = (numbers: readonly number[], outputs: Tensors) => CompanyFault | undefined;

function createComparison({ alone, rowsOf, isCut }: Company): Comparison {
  const names = Object.keys(alone[0] ?? {});
  const judges = names.map((name) =>
    createJudge(
      alone.map((it) => it[name] as Tensor),
      isCut,
    ),
  );
  return (numbers, outputs) => {
    const rows = rowsOf(numbers.length) / rowsOf(1);
    let worst: CompanyFault | undefined;
    for (const [k, output] of names.entries()) {
      const difference = judges[k]?.(numbers, outputs[output] as Tensor, rows) ?? 0;
      if (difference > (worst?.difference ?? 0)) worst = { output, difference, rows: numbers.length };
    }
    return worst;
  };
}

/** Compares one output of a shared run with the answers alone: 0 if every row's part is equal, apart from rounding. */
function createJudge(
  alone: readonly Tensor[],
  isCut: boolean,
): (numbers: readonly number[], together: Tensor, rows: number) => number {
  const answers = alone.map(toComparable);
  const [first] = alone;
  const size = first?.data.length ?? 0;
  const least = answers.every(isDistribution) ? minDistributionScale : minScale;
  const maxExplained = first?.type === 'float16' ? maxRounding16 : maxRounding;
  return (numbers, together, rows) => {
    if (together.data.length !== size * rows) return Number.POSITIVE_INFINITY;
    const { dims } = together;
    const hasRows = dims[0] === (first?.dims[0] ?? 0) * rows && dims.length === first?.dims.length;
    if (isCut && !(hasRows && dims.slice(1).every((dim, k) => dim === first?.dims[k + 1]))) {
      return Number.POSITIVE_INFINITY;
    }
    const values = toComparable(together);
    // Only the rows of this run set the scale: other samples may be a thousand times as large.
    const scales = scalesOf(
      [...new Set(numbers)].map((k) => answers[k] ?? []),
      size,
      least,
    );
    let worst = 0;
    for (const [row, number] of numbers.entries()) {
      const answer = answers[number] ?? [];
      for (let k = 0; k < size; k += 1) {
        const [a, b] = [answer[k], values[row * size + k]];
        if (a === b || Object.is(a, b)) continue;
        const isNumber = typeof a === 'number' && typeof b === 'number';
        const difference = isNumber
          ? Math.abs(a - b) / Math.max(scales[k] as number, Math.abs(b))
          : Number.POSITIVE_INFINITY;
        if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
      }
    }
    return worst > maxExplained ? worst : 0;
  };
}

/** Floats become numbers, which may differ by rounding; everything else must be equal. */
function toComparable({ data, type }: Tensor): ArrayLike<number | bigint | string> {
  if (type === 'float16') return Float64Array.from(data as Uint16Array, fromFloat16);
  if (type === 'float32' || type === 'float64' || type === 'string') return data;
  return Array.from(data as ArrayLike<number | bigint>, BigInt);
}

/** Whether these are the probabilities of one row. */
function isDistribution(answer: ArrayLike<number | bigint | string>): boolean {
  const values = Array.from(answer);
  if (values.length < 2 || !values.every((it) => typeof it === 'number' && it >= 0 && it <= 1)) return false;
  return Math.abs(values.reduce((sum: number, it) => sum + Number(it), 0) - 1) < 1e-3;
}

function scalesOf(
  answers: readonly ArrayLike<number | bigint | string>[],
  size: number,
  least: number,
): Float64Array {
  const scales = new Float64Array(size);
  let largest = 0;
  for (const answer of answers) {
    for (let k = 0; k < size; k += 1) {
      const magnitude = Math.abs(Number(answer[k]));
      if (!Number.isFinite(magnitude)) continue;
      scales[k] = Math.max(scales[k] as number, magnitude);
      largest = Math.max(largest, magnitude);
    }
  }
  return scales.map((scale) => Math.max(scale, largest * least));
}
