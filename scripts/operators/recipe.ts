import type { ElementType } from '../../src/inference/tensors/tensor.js';
import type { Encoded } from '../../test/helpers/onnx.js';
import type { Filling } from './element-types.js';

export interface RecipeInput {
  readonly dims: readonly number[];
  /** Repeated until the tensor is full. Small positive numbers by default. */
  readonly values?: readonly Filling[];
  /** The value of this input is known to set the shape of an output. Trials find the other such inputs. */
  readonly isSize?: true;
  /** Omitted, between other inputs of the node. */
  readonly isAbsent?: true;
}

/** A number becomes an integer attribute. For a float, use `float` of the ONNX helper. */
export type AttributeSource = number | string | readonly number[] | readonly string[] | Encoded<'attribute'>;
export type Attributes = Readonly<Record<string, AttributeSource>>;

/** The arguments of `Recipe.nodes`. */
export interface NodeNames {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Encoded<'attribute'>>>;
  readonly types: readonly ElementType[];
}

/** A small correct call of an operator, from which hostile calls are made. */
export interface Recipe {
  /** `Gemm`, `ai.onnx.ml:Scaler`. */
  readonly op: string;
  readonly inputs: readonly RecipeInput[];
  /** Sets of attributes, each tried with every type. */
  readonly attributes?:
    | readonly Attributes[]
    | ((types: readonly ElementType[], version: number) => readonly Attributes[]);
  readonly outputs?: number;
  /** Sets of inputs that are constants of the graph, as exporters write them. None by default. */
  readonly constants?: readonly (readonly number[])[];
  /** The versions of the operator's schema. All by default. */
  readonly versions?: readonly [first: number, last: number];
  /** Types of the inputs, for operators without a schema, or to try fewer types. */
  readonly types?: readonly (readonly ElementType[])[];
  /** The nodes, if the operator needs further ones, or if the engine should fuse several. */
  readonly nodes?: (names: NodeNames) => readonly Encoded<'node'>[];
  /** Further outputs of the graph that are never fetched, such as maps. */
  readonly unfetched?: readonly string[];
  /** The types of the operator, if they differ from those of the graph. */
  readonly signature?: (types: readonly ElementType[]) => {
    takes: readonly string[];
    gives: readonly string[];
  };
  /** A name for several operators that the engine may fuse. They are reported under it, without a row in the table. */
  readonly pattern?: string;
}

export const x = (...dims: number[]): RecipeInput => ({ dims });
export const of = (dims: readonly number[], values: readonly Filling[]): RecipeInput => ({ dims, values });
/** A list of numbers whose value sets the shape of an output. */
export const size = (...values: number[]): RecipeInput => ({ dims: [values.length], values, isSize: true });
export const sizeScalar = (value: number): RecipeInput => ({ dims: [], values: [value], isSize: true });
export const absent: RecipeInput = { dims: [], isAbsent: true };
