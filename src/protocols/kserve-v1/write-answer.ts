import { ServiceError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Answer } from '../../models/tasks/task.js';
import type { RowsResult } from '../../predictor.js';
import { splitArray } from './json-array.js';
import type { V1Body } from './read-body.js';

/**
 * Writes the answers to rows of features. A prediction is a label or a value. If the output has several columns, it is
 * an array in the manifest's order, as in KServe's server for scikit-learn. For `inputs` the key is `outputs`, as in
 * TensorFlow Serving.
 */
export function writePredictions(
  { rows, textOf }: RowsResult,
  { form, isWhole }: V1Body,
  names: readonly string[] | undefined,
): string {
  const texts = isWhole ? rows.map(textOf) : rows.map(({ answer }) => toPredictionText(answer, names));
  return `{"${form === 'inputs' ? 'outputs' : 'predictions'}":[${texts.join(',')}]}`;
}

function toPredictionText({ value }: Answer, names: readonly string[] | undefined): string {
  // Versions of the task `tensor` use `writeTensors`.
  if (!('prediction' in value)) throw new TypeError('an answer without a prediction');
  const { prediction } = value;
  if (typeof prediction !== 'object') return JSON.stringify(prediction);
  return JSON.stringify((names ?? []).map((name) => prediction[name]));
}

/**
 * Writes the answer of the task `tensor`: its outputs for `inputs`, or one prediction for each of `count` instances. A
 * single output is written without its name. Throws `invalid_input` if an output does not have `count` rows.
 */
export async function writeTensors(
  { fieldsJson }: Answer,
  count: number | undefined,
  { task }: LoadedVersion,
): Promise<string> {
  const names = (task.tensors?.outputs ?? []).map(({ name }) => name);
  const isOnly = names.length === 1;
  const opening = `"outputs":{`;
  if (count === undefined) {
    if (!isOnly) return `{${fieldsJson}}`;
    return `{"outputs":${fieldsJson.slice(opening.length + keyOf(names[0] as string).length, -1)}}`;
  }
  const columns: (readonly string[])[] = [];
  let at = opening.length;
  for (const name of names) {
    const split = await splitArray(fieldsJson, at + keyOf(name).length);
    if (split?.elements.length !== count) throw unlike(name, split?.elements.length, count);
    columns.push(split.elements);
    // Skips the comma, or the brace at the end.
    at = split.end + 1;
  }
  if (isOnly) return `{"predictions":[${columns[0]?.join(',')}]}`;
  const rows = Array.from({ length: count }, (_unused, row) => {
    const fields = names.map((name, k) => keyOf(name) + columns[k]?.[row]);
    return `{${fields.join(',')}}`;
  });
  return `{"predictions":[${rows.join(',')}]}`;
}

const keyOf = (name: string) => `${JSON.stringify(name)}:`;

function unlike(name: string, got: number | undefined, count: number): ServiceError {
  const has = got === undefined ? 'no rows' : `${got} rows`;
  return new ServiceError('invalid_input', {
    detail: `the output ${name} has ${has} for ${count} instances: send the tensors whole, as {"inputs": …}`,
  });
}
