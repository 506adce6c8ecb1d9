import { Type } from '@sinclair/typebox';
import { errorCatalogue, type Problem, type ServiceError } from '../errors.js';

/** The body of every error below `/v1/`, as KServe and TensorFlow Serving write it. */
export const V1ErrorSchema = Type.Object(
  { error: Type.String({ description: 'What is wrong, and what to do about it' }) },
  { $id: 'V1Error' },
);

/** Without a charset: KServe's own client reads an error of this very type alone (kserve 0.21). */
export const v1ContentType = 'application/json';

const v1Path = /^(?:https?:\/\/[^/?]*)?\/v1(?:[/?]|$)/i;
const maxListed = 10;

/** Whether what is asked for belongs to the protocol: a path, or a whole address. */
export function isV1(url: string): boolean {
  return v1Path.test(url);
}

/** An error as one sentence or two; `showsProblems` is whether the client may see what is wrong with its input. */
export function toV1ErrorText(error: ServiceError, showsProblems: boolean): string {
  const { title } = errorCatalogue[error.code];
  const isShown = showsProblems || !error.hasProblems;
  const more = isShown ? describe(error) : undefined;
  return JSON.stringify({ error: more === undefined ? title : `${title}: ${more}` });
}

function describe({ code, detail, problems, headers }: ServiceError): string | undefined {
  const { allow } = headers;
  if (allow !== undefined) return `it takes ${allow || 'none'}`;
  // Of a body the detail counts the problems; elsewhere it says what they say.
  return code === 'invalid_input' ? describeProblems(problems) || detail : detail;
}

function describeProblems(problems: readonly Problem[] = []): string {
  const listed = problems.slice(0, maxListed).map(({ pointer, message }) => {
    const place = toPlace(pointer);
    return place === '' ? message : `${place} ${message}`;
  });
  const more = problems.length - listed.length;
  return [...listed, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** A JSON pointer as programs write it: `/instances/3/age` is `instances[3].age`. */
export function toPlace(pointer: string): string {
  const names = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const text = names.map((name) => {
    if (/^\d+$/.test(name)) return `[${name}]`;
    return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
  });
  return text.join('').replace(/^\./, '');
}
