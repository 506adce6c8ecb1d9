import {
  allocate,
  type ElementType,
  sizeOf,
  type Tensor,
  type TensorData,
  type Tensors,
  toElement,
} from '../../inference/tensors/tensor.js';

/** One checked request row: the features by name. */
export type Row = Readonly<Record<string, unknown>>;

type Scalar = number | string | boolean;

/** How one feature fills one column of an input tensor. */
export interface Column {
  readonly feature: string;
  /** What stands in for null, and for a feature without default that is left out. */
  readonly missing?: Scalar;
  /** What stands in for a feature that is left out; null is null's value. */
  readonly defaultValue?: Scalar | null;
  /** The numbers of a string feature's categories. */
  readonly codes?: ReadonlyMap<string, number>;
}

/** One input tensor: `rowDims` are its dimensions after the batch's, and hold one element a column. */
export interface EncodedInput {
  readonly name: string;
  readonly type: ElementType;
  readonly rowDims: readonly number[];
  readonly columns: readonly Column[];
}

/** Turns checked rows into one tensor an input, `rows × columns`, row-major. */
export type Encode = (rows: readonly Row[]) => Tensors;

/**
 * Builds the encoder of a version. With `fixedRows` every batch has exactly that many rows: what is left over
 * is filled with copies of the last, whose answers nobody reads.
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
  // Most columns are numbers that the tensor holds as they are: those need no call.
  const asItIs = input.type !== 'string' && input.type !== 'float16' && !input.type.endsWith('int64');

  return (rows, data, count) => {
    // Every kind of data takes the elements that its converters make.
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
