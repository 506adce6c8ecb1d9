import { type Problem, ServiceError } from '../../errors.js';
import { describeValue, isObject, pointerToken } from '../../text/describe-value.js';

export interface V1Body {
  /** `instances` holds rows. `inputs` holds columns by name, or the rows of the only input. */
  readonly form: 'instances' | 'inputs';
  readonly value: unknown;
  /** Whether each answer has all its fields, such as the probabilities, or the prediction only. */
  readonly isWhole: boolean;
}

const keys: readonly string[] = ['instances', 'inputs', 'parameters', 'signature_name'];
const maxProblems = 20;

/** Checks the members of a body, but not its rows, which the version checks. Throws `invalid_input`. */
export function readBody(body: unknown): V1Body {
  if (!isObject(body)) {
    const got = body === undefined ? 'nothing' : describeValue(body);
    throw refuse([{ pointer: '', message: `the body must be {"instances": […]}, got ${got}` }]);
  }
  const problems: Problem[] = Object.keys(body)
    .filter((key) => !keys.includes(key))
    .slice(0, maxProblems)
    .map((key) => ({
      pointer: `/${pointerToken(key)}`,
      message: 'is not a key of this request: "instances" and "parameters" are',
    }));
  const { instances, inputs, parameters, signature_name: signature } = body;
  // An empty name means the default. TensorFlow Serving's own metadata have it.
  if (signature !== undefined && signature !== '' && signature !== 'serving_default') {
    const message = `must be "serving_default", the one that each model has, got ${describeValue(signature)}`;
    problems.push({ pointer: '/signature_name', message });
  }
  if (instances === undefined && inputs === undefined) {
    problems.push({ pointer: '/instances', message: 'is required: an array of rows' });
  } else if (instances !== undefined && inputs !== undefined) {
    problems.push({ pointer: '/inputs', message: 'stands beside "instances": send one of the two' });
  }
  const isWhole = readParameters(parameters, problems);
  if (problems.length > 0) throw refuse(problems);
  return instances === undefined
    ? { form: 'inputs', value: inputs, isWhole }
    : { form: 'instances', value: instances, isWhole };
}

function readParameters(parameters: unknown, problems: Problem[]): boolean {
  if (parameters === undefined) return false;
  if (!isObject(parameters)) {
    const message = `must be an object, such as {"probabilities": true}, got ${describeValue(parameters)}`;
    problems.push({ pointer: '/parameters', message });
    return false;
  }
  const { probabilities, ...others } = parameters;
  for (const key of Object.keys(others).slice(0, maxProblems)) {
    const message = 'is not a parameter: "probabilities" is';
    problems.push({ pointer: `/parameters/${pointerToken(key)}`, message });
  }
  if (probabilities !== undefined && typeof probabilities !== 'boolean') {
    const message = `must be true or false, got ${describeValue(probabilities)}`;
    problems.push({ pointer: '/parameters/probabilities', message });
  }
  return probabilities === true;
}

export function refuse(problems: readonly Problem[]): ServiceError {
  const detail = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
  return new ServiceError('invalid_input', { detail, problems });
}

/** Checks that a value is an array of 1 to `maxRows` rows. Throws `invalid_input`. */
export function readList(value: unknown, pointer: string, maxRows: number): readonly unknown[] {
  const message = findListFault(value, maxRows);
  if (message !== undefined) throw refuse([{ pointer, message }]);
  return value as readonly unknown[];
}

function findListFault(value: unknown, maxRows: number): string | undefined {
  if (value === undefined) return 'is required: an array of rows';
  if (!Array.isArray(value)) return `must be an array of rows, got ${describeValue(value)}`;
  if (value.length === 0) return 'must have at least one row';
  if (value.length <= maxRows) return undefined;
  return `has ${value.length} rows, and a request of this model at most ${maxRows}: send them in several requests`;
}
