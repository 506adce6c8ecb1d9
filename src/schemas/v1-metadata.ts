import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { Dimension, ElementType } from '../inference/tensors/tensor.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';

const Tensor = Type.Object({
  dtype: Type.String(),
  tensor_shape: Type.Object({
    dim: Type.Array(Type.Object({ size: Type.String(), name: Type.String() })),
    unknown_rank: Type.Boolean(),
  }),
  name: Type.String(),
});
const Tensors = Type.Record(Type.String(), Tensor);

/** TensorFlow Serving's metadata of the only signature of a model: its inputs and outputs. */
export const V1MetadataSchema = Type.Object(
  {
    model_spec: Type.Object({
      name: Type.String(),
      signature_name: Type.String(),
      version: Type.String(),
    }),
    metadata: Type.Object({
      signature_def: Type.Object({
        signature_def: Type.Object({
          serving_default: Type.Object({
            inputs: Tensors,
            outputs: Tensors,
            method_name: Type.Literal('tensorflow/serving/predict'),
          }),
        }),
      }),
    }),
  },
  { $id: 'V1Metadata', description: 'The inputs and outputs of a model' },
);

const typeNames: Readonly<Partial<Record<ElementType, string>>> = {
  float16: 'DT_HALF',
  float32: 'DT_FLOAT',
  float64: 'DT_DOUBLE',
};
const featureTypes = {
  integer: 'DT_INT64',
  number: 'DT_DOUBLE',
  string: 'DT_STRING',
  boolean: 'DT_BOOL',
} as const;

/** A feature is shown as a tensor with one value for each row. */
export function toV1Metadata({ manifest, task }: LoadedVersion): Static<typeof V1MetadataSchema> {
  const { name, version, features = [] } = manifest;
  const inputs = task.tensors
    ? task.tensors.inputs.map((it) => [it.name, toTensor(it.name, typeNameOf(it.type), it.dims)] as const)
    : features.map((it) => [it.name, toTensor(it.name, featureTypes[it.type], [undefined])] as const);
  const outputs = task.tensors
    ? task.tensors.outputs.map((it) => [it.name, toTensor(it.name, typeNameOf(it.type), it.dims)] as const)
    : [['prediction', describePrediction(manifest, task.answerSchema)] as const];
  const serving_default = {
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(outputs),
    method_name: 'tensorflow/serving/predict' as const,
  };
  return {
    model_spec: { name, signature_name: '', version },
    metadata: { signature_def: { signature_def: { serving_default } } },
  };
}

function describePrediction({ task, output }: LoadedVersion['manifest'], answer: TSchema) {
  const { enum: classes } = answer['properties'].prediction as { enum?: readonly unknown[] };
  const kinds: Readonly<Record<string, string>> = {
    string: 'DT_STRING',
    boolean: 'DT_BOOL',
    number: 'DT_INT64',
  };
  const ofClasses = kinds[typeof classes?.[0]];
  const type = task === 'classification' ? (ofClasses ?? 'DT_INVALID') : 'DT_DOUBLE';
  return toTensor('prediction', type, output?.names ? [undefined, output.names.length] : [undefined]);
}

function typeNameOf(type: ElementType): string {
  return typeNames[type] ?? `DT_${type.toUpperCase()}`;
}

/** An open dimension has the size -1, and its name if it has one. */
function toTensor(name: string, dtype: string, dims: readonly Dimension[] | undefined) {
  const dim = (dims ?? []).map((it) => ({
    size: typeof it === 'number' ? String(it) : '-1',
    name: typeof it === 'string' ? it : '',
  }));
  return { dtype, tensor_shape: { dim, unknown_rank: dims === undefined }, name };
}
