import type { ElementType } from '../../src/inference/tensors/tensor.js';
import type { Encoded } from '../../test/helpers/onnx.js';
import type { Filling } from './element-types.js';

export interface RecipeInput {
  readonly dims: readonly number[];
  /** Repeated until the tensor is full; small positive numbers where absent. */
  readonly values?: readonly Filling[];
  /** The value of this input is known to set the shape of an output. What else does so is found by trying. */
  readonly isSize?: true;
  /** Left out of the node, in the middle of others. */
  readonly isAbsent?: true;
}

/** A whole number becomes an integer attribute: `float` from the ONNX helper makes one of another type. */
export type AttributeSource = number | string | readonly number[] | readonly string[] | Encoded<'attribute'>;
export type Attributes = Readonly<Record<string, AttributeSource>>;

/** What the nodes around the operator need to know, where there are any. */
export interface NodeNames {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Encoded<'attribute'>>>;
  readonly types: readonly ElementType[];
}

/** How an operator is used rightly: a small sound call of it, from which hostile ones are made. */
export interface Recipe {
  /** `Gemm`, `ai.onnx.ml:Scaler`. */
  readonly op: string;
  readonly inputs: readonly RecipeInput[];
  /** Sets of attributes that are tried, each with every type. */
  readonly attributes?:
    | readonly Attributes[]
    | ((types: readonly ElementType[], version: number) => readonly Attributes[]);
  readonly outputs?: number;
  /** Sets of inputs that are written into the graph as constants, as exporters do; none where absent. */
  readonly constants?: readonly (readonly number[])[];
  /** The versions of the operator's schema that this recipe is for. */
  readonly versions?: readonly [first: number, last: number];
  /** Types of the inputs, for operators without a schema here, or to try fewer of them. */
  readonly types?: readonly (readonly ElementType[])[];
  /** The nodes, where the operator needs others beside it, or where several are to be fused into one. */
  readonly nodes?: (names: NodeNames) => readonly Encoded<'node'>[];
  /** Further outputs of the graph that are never fetched, such as maps. */
  readonly unfetched?: readonly string[];
  /** What the operator takes and gives, where it is not what the graph does. */
  readonly signature?: (types: readonly ElementType[]) => {
    takes: readonly string[];
    gives: readonly string[];
  };
  /** Several operators, which the engine may fuse: the name under which it is reported. It makes no row in the table. */
  readonly pattern?: string;
}

export const x = (...dims: number[]): RecipeInput => ({ dims });
export const of = (dims: readonly number[], values: readonly Filling[]): RecipeInput => ({ dims, values });
/** A list of numbers whose value sets the shape of an output. */
export const size = (...values: number[]): RecipeInput => ({ dims: [values.length], values, isSize: true });
export const sizeScalar = (value: number): RecipeInput => ({ dims: [], values: [value], isSize: true });
export const absent: RecipeInput = { dims: [], isAbsent: true };
