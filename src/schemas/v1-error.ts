import { Type } from '@sinclair/typebox';
import { errorCatalogue, type Problem, type ServiceError } from '../errors.js';

/** The body of every error below `/v1/`, as KServe and TensorFlow Serving write it. */
export const V1ErrorSchema = Type.Object(
  { error: Type.String({ description: 'What is wrong, and how to fix it' }) },
  { $id: 'V1Error' },
);

/** Without a charset: KServe's client (kserve 0.21) reads an error only if the type is exactly this. */
export const v1ContentType = 'application/json';

const v1Path = /^(?:https?:\/\/[^/?]*)?\/v1(?:[/?]|$)/i;
const maxListed = 10;

/** Whether a path or a whole URL is below `/v1/`. */
export function isV1(url: string): boolean {
  return v1Path.test(url);
}

/** An error in one or two sentences. `showsProblems` is whether the client may see the problems of its input. */
export function toV1ErrorText(error: ServiceError, showsProblems: boolean): string {
  const { title } = errorCatalogue[error.code];
  const isShown = showsProblems || !error.hasProblems;
  const more = isShown ? describe(error) : undefined;
  return JSON.stringify({ error: more === undefined ? title : `${title}: ${more}` });
}

function describe({ code, detail, problems, headers }: ServiceError): string | undefined {
  const { allow } = headers;
  if (allow !== undefined) return `it takes ${allow || 'none'}`;
  // For a body, the detail only counts the problems. For other errors, it describes them.
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
