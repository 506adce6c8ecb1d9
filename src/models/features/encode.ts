import {
  allocate,
  type ElementType,
  sizeOf,
  type Tensor,
  type TensorData,
  type Tensors,
  toElement,
} from '../../inference/tensors/tensor.js';

/** A checked row: feature → value. */
export type Row = Readonly<Record<string, unknown>>;

type Scalar = number | string | boolean;

/** How one feature fills one column of an input tensor. */
export interface Column {
  readonly feature: string;
  /** Replaces null, and an absent feature without a default. */
  readonly missing?: Scalar;
  /** Replaces an absent feature; null is replaced by `missing` in turn. */
  readonly defaultValue?: Scalar | null;
  /** Category of a string feature → number. */
  readonly codes?: ReadonlyMap<string, number>;
}

/** One input tensor. `rowDims` are its dimensions after the batch's, with one element for each column. */
export interface EncodedInput {
  readonly name: string;
  readonly type: ElementType;
  readonly rowDims: readonly number[];
  readonly columns: readonly Column[];
}

/** Checked rows → one tensor for each input, `rows × columns`, row-major. */
export type Encode = (rows: readonly Row[]) => Tensors;

/**
 * With `fixedRows` every batch has exactly that many rows: copies of the last row fill it up, and their outputs are
 * not read.
 */
export function createEncoder(inputs: readonly EncodedInput[], fixedRows?: number): Encode {
  const writers = inputs.map((input) => ({ input, write: createWriter(input) }));
  return (rows) => {
    const count = fixedRows ?? rows.length;
    const tensors: Record<string, Tensor> = {};
    for (const { input, write } of writers) {
      const data = allocate(input.type, count * sizeOf(input.rowDims));
      write(rows, data, count);
      tensors[input.name] = { type: input.type, dims: [count, ...input.rowDims], data };
    }
    return tensors;
  };
}

type Writer = (rows: readonly Row[], data: TensorData, count: number) => void;

function createWriter(input: EncodedInput): Writer {
  const width = input.columns.length;
  const names = input.columns.map((column) => column.feature);
  const converters = input.columns.map((column) => createConverter(column, input.type));
  // Most values are numbers that the tensor holds unchanged: they need no call.
  const asItIs = input.type !== 'string' && input.type !== 'float16' && !input.type.endsWith('int64');

  return (rows, data, count) => {
    // The converters make elements of the type of `data`.
    const target = data as (number | bigint | string)[];
    for (let index = 0; index < count; index += 1) {
      const row = rows[index < rows.length ? index : rows.length - 1] as Row;
      const start = index * width;
      for (let column = 0; column < width; column += 1) {
        const value = row[names[column] as string];
        target[start + column] =
          asItIs && typeof value === 'number' ? value : (converters[column] as Converter)(value);
      }
    }
  };
}

type Converter = (value: unknown) => number | bigint | string;

function createConverter(column: Column, type: ElementType): Converter {
  const { codes, missing, defaultValue } = column;
  const convert = (value: Scalar) =>
    toElement(codes !== undefined && typeof value === 'string' ? (codes.get(value) as number) : value, type);
  const nothing = missing ?? (type === 'string' ? '' : Number.NaN);
  const isInteger64 = type === 'int64' || type === 'uint64';
  const nullElement = isInteger64 && missing === undefined ? 0n : convert(nothing);
  const absentElement =
    defaultValue === undefined || defaultValue === null ? nullElement : convert(defaultValue);
  return (value) => {
    if (value === undefined) return absentElement;
    return value === null ? nullElement : convert(value as Scalar);
  };
}
