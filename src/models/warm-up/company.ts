import { fromFloat16 } from '../../inference/tensors/float16.js';
import type { Tensor, Tensors } from '../../inference/tensors/tensor.js';

/** Different samples, rows of features or of tensors: what each is answered alone, and how some are run together. */
export interface Company {
  readonly alone: readonly Tensors[];
  /** The most rows of one run. */
  readonly maxRows: number;
  /** Runs the samples of these numbers together, in this order. */
  run(numbers: readonly number[]): Promise<Tensors>;
  /** How many rows the outputs of a run of so many samples have: more where the graph fixes its batch. */
  rowsOf(samples: number): number;
  /** Of the samples, the first so many are of ordinary size: larger ones hide what small ones change. */
  readonly ordinary: number;
  /** Whether outputs are cut along their first dimension, which must be that of the rows then. */
  readonly isCut: boolean;
}

/** How an answer in company differed from the answer alone. */
export interface CompanyFault {
  readonly output: string;
  /** Of the largest value in that column of the answers; Infinity for texts, whole numbers and shapes. */
  readonly difference: number;
  readonly rows: number;
}

/**
 * The largest difference that rounding explains, as a share of the largest value in the column: kernels for one row and
 * for many add in another order. Measured: docs/decisions/row-independence.md.
 */
export const maxRounding = 1e-5;
const maxRounding16 = 1e-2;
/** Columns whose values are smaller than this share of the output's largest are compared with that. */
const minScale = 1e-6;

/**
 * Whether a row's answer depends on the rows that share its run: runs the samples two together and as many as a run may
 * have, each in two orders, and compares with what each is answered alone. Gives the largest difference that rounding
 * does not explain. Throws what a run throws.
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

/** Whether the samples are answered alone as they were before. A graph may draw numbers, or change with each run. */
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

/** Judges one output of a run of some samples: 0 where each row's part is what the row gives alone. */
function createJudge(
  alone: readonly Tensor[],
  isCut: boolean,
): (numbers: readonly number[], together: Tensor, rows: number) => number {
  const answers = alone.map(toComparable);
  const [first] = alone;
  const size = first?.data.length ?? 0;
  const mostExplained = first?.type === 'float16' ? maxRounding16 : maxRounding;
  return (numbers, together, rows) => {
    if (together.data.length !== size * rows) return Number.POSITIVE_INFINITY;
    const { dims } = together;
    const hasRows = dims[0] === (first?.dims[0] ?? 0) * rows && dims.length === first?.dims.length;
    if (isCut && !(hasRows && dims.slice(1).every((dim, k) => dim === first?.dims[k + 1]))) {
      return Number.POSITIVE_INFINITY;
    }
    const values = toComparable(together);
    // Of the rows of this run alone: others may be a thousand times as large.
    const scales = scalesOf(
      [...new Set(numbers)].map((k) => answers[k] ?? []),
      size,
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
    return worst > mostExplained ? worst : 0;
  };
}

/** Floats as numbers, which may differ by rounding; all else as what must be equal. */
function toComparable({ data, type }: Tensor): ArrayLike<number | bigint | string> {
  if (type === 'float16') return Float64Array.from(data as Uint16Array, fromFloat16);
  if (type === 'float32' || type === 'float64' || type === 'string') return data;
  return Array.from(data as ArrayLike<number | bigint>, BigInt);
}

/** The largest magnitude of each element over all answers. */
function scalesOf(answers: readonly ArrayLike<number | bigint | string>[], size: number): Float64Array {
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
  return scales.map((scale) => Math.max(scale, largest * minScale));
}
