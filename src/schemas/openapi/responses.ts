import { type ErrorCode, errorCatalogue } from '../../errors.js';
import { v1ContentType } from '../v1-error.js';
import type { Json } from './json.js';

/** What may befall any request, whatever its route. */
const anyCodes: readonly ErrorCode[] = [
  'invalid_request',
  'request_timeout',
  'headers_too_large',
  'internal',
];
/** What an operation that needs a key may be refused with. */
const keyCodes: readonly ErrorCode[] = ['api_key_missing', 'api_key_invalid', 'forbidden'];

const limitHeaders: Json = {
  'ratelimit-policy': header('Where the client has a limit: so many requests (`q`) in so many seconds (`w`)'),
  ratelimit: header(
    'Where the client has a limit: so many are left (`r`), and none more for so many seconds (`t`)',
  ),
};
const anyHeaders: Json = { 'x-request-id': header('The id of this request, in every log line about it') };

/** Whether a route counts its requests, whether it asks for a key, and whether its errors are those of KServe. */
export interface Gates {
  readonly isLimited: boolean;
  readonly needsKey: boolean;
  readonly isV1?: boolean;
}

/** Adds every status that an operation may be refused with, and the headers of the gates before it. */
export function describeResponses(own: Json, codes: readonly ErrorCode[], gates: Gates): Json {
  const all = [
    ...new Set([
      ...anyCodes,
      ...(gates.needsKey ? keyCodes : []),
      ...(gates.isLimited ? (['rate_limited'] as const) : []),
      ...codes,
    ]),
  ];
  const statuses = [...new Set(all.map((code) => errorCatalogue[code].status))];
  const answers = Object.entries(own).map(([status, response]) => {
    const { headers, ...rest } = response as Json;
    return [status, { ...rest, headers: { ...headersOf(gates), ...(headers as Json) } }] as const;
  });
  // A status that is no error as well, such as the 503 of a probe, is described by its route.
  const refusals = statuses
    .filter((status) => !(status in own))
    .map((status) => [
      status,
      describeRefusal(
        all.filter((code) => errorCatalogue[code].status === status),
        gates,
      ),
    ]);
  return {
    ...Object.fromEntries(answers),
    ...Object.fromEntries(refusals),
    default: describeError('Any other error', 'internal', headersOf(gates), gates),
  };
}

export function header(description: string, schema: Json = { type: 'string' }): Json {
  return { description, schema };
}

function headersOf({ isLimited }: Gates): Json {
  return { ...anyHeaders, ...(isLimited && limitHeaders) };
}

function describeRefusal(codes: readonly ErrorCode[], gates: Gates): Json {
  const description = codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('. ');
  const retries = codes.map((code) => errorCatalogue[code].retry);
  const waits = retries.some((retry) => retry === 'after' || retry === 'where told');
  const headers = {
    ...headersOf(gates),
    ...(waits && {
      'retry-after': header('So many seconds until the same request may be answered', {
        type: 'integer',
        minimum: 0,
      }),
    }),
  };
  return describeError(description, codes[0] as ErrorCode, headers, gates);
}

function describeError(description: string, code: ErrorCode, headers: Json, { isV1 = false }: Gates): Json {
  const { status, title } = errorCatalogue[code];
  if (isV1) {
    const schema = { $ref: '#/components/schemas/V1Error' };
    return { description, headers, content: { [v1ContentType]: { schema, example: { error: title } } } };
  }
  const example = { type: `/errors#${code}`, code, title, status, request_id: 'a-client-may-choose-it' };
  const schema = { $ref: '#/components/schemas/Problem' };
  return { description, headers, content: { 'application/problem+json': { schema, example } } };
}
