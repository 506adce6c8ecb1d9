import { type ErrorCode, errorCatalogue } from '../../errors.js';
import { v1ContentType } from '../v1-error.js';
import type { Json } from './json.js';

/** Errors of any request. */
const anyCodes: readonly ErrorCode[] = [
  'invalid_request',
  'request_timeout',
  'headers_too_large',
  'internal',
];
const keyCodes: readonly ErrorCode[] = ['api_key_missing', 'api_key_invalid', 'forbidden'];

const limitHeaders: Json = {
  'ratelimit-policy': header('If the client has a limit: at most `q` requests in `w` seconds'),
  ratelimit: header(
    'If the client has a limit: `r` requests are left, and more are available in `t` seconds',
  ),
};
const anyHeaders: Json = { 'x-request-id': header('The id of this request, as in its log lines') };

export interface RouteProtection {
  /** Whether the route has a rate limit. */
  readonly isLimited: boolean;
  readonly needsKey: boolean;
  /** Whether its errors have KServe's form. */
  readonly isV1?: boolean;
}

/** Adds the response of each error, and the headers of the rate limit. */
export function describeResponses(own: Json, codes: readonly ErrorCode[], protection: RouteProtection): Json {
  const all = [
    ...new Set([
      ...anyCodes,
      ...(protection.needsKey ? keyCodes : []),
      ...(protection.isLimited ? (['rate_limited'] as const) : []),
      ...codes,
    ]),
  ];
  const statuses = [...new Set(all.map((code) => errorCatalogue[code].status))];
  const answers = Object.entries(own).map(([status, response]) => {
    const { headers, ...rest } = response as Json;
    return [status, { ...rest, headers: { ...headersOf(protection), ...(headers as Json) } }] as const;
  });
  // Some statuses also have an answer that is no error, such as the 503 of a probe. Their route describes them.
  const refusals = statuses
    .filter((status) => !(status in own))
    .map((status) => [
      status,
      describeRefusal(
        all.filter((code) => errorCatalogue[code].status === status),
        protection,
      ),
    ]);
  return {
    ...Object.fromEntries(answers),
    ...Object.fromEntries(refusals),
    default: describeError('Any other error', 'internal', headersOf(protection), protection),
  };
}

export function header(description: string, schema: Json = { type: 'string' }): Json {
  return { description, schema };
}

function headersOf({ isLimited }: RouteProtection): Json {
  return { ...anyHeaders, ...(isLimited && limitHeaders) };
}

function describeRefusal(codes: readonly ErrorCode[], protection: RouteProtection): Json {
  const description = codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('. ');
  const retries = codes.map((code) => errorCatalogue[code].retry);
  const waits = retries.some((retry) => retry === 'after' || retry === 'with Retry-After');
  const headers = {
    ...headersOf(protection),
    ...(waits && {
      'retry-after': header('Seconds after which the client may send the same request again', {
        type: 'integer',
        minimum: 0,
      }),
    }),
  };
  return describeError(description, codes[0] as ErrorCode, headers, protection);
}

function describeError(
  description: string,
  code: ErrorCode,
  headers: Json,
  { isV1 = false }: RouteProtection,
): Json {
  const { status, title } = errorCatalogue[code];
  if (isV1) {
    const schema = { $ref: '#/components/schemas/V1Error' };
    return { description, headers, content: { [v1ContentType]: { schema, example: { error: title } } } };
  }
  const example = { type: `/errors#${code}`, code, title, status, request_id: 'a-client-may-choose-it' };
  const schema = { $ref: '#/components/schemas/Problem' };
  return { description, headers, content: { 'application/problem+json': { schema, example } } };
}
