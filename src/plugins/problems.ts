import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import fp from 'fastify-plugin';
import { type ErrorCode, ServiceError } from '../errors.js';
import { discardBody } from '../http/discard-body.js';
import { hasSentContinue } from '../node-internals.js';
import { toErrorBody } from '../schemas/error-body.js';
import type { ProblemSettings } from '../schemas/problem.js';
import { pointerToken } from '../text/describe-value.js';
import { describeRefused, type FaultLog } from './error-log.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** What the routes of an address take. */
    readonly addressOf: (url: string) => Address;
  }
}

/** An address as its routes have it. */
interface Address {
  /** None where there is nothing. */
  readonly methods: readonly string[];
  /** Whether one of its routes asks for a key. */
  readonly needsKey: boolean;
}

export interface ProblemOptions extends ProblemSettings {
  readonly logFault: FaultLog;
}

/** Fastify's own errors, by their codes. Any other is an `internal`. */
const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_BAD_URL: 'invalid_request',
  FST_ERR_VALIDATION: 'invalid_request',
  FST_ERR_NOT_FOUND: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
};

/** Makes every error a body of one form, whatever threw it, and logs those that are our own fault. */
export default fp<ProblemOptions>(
  async function problemsPlugin(app, settings) {
    app.decorate('addressOf', collectAddresses(app));
    app.setErrorHandler(async (error: Partial<FastifyError> | undefined, request, reply) => {
      // Whatever a promise was rejected with: nothing, even.
      if (error?.code === 'FST_ERR_CTP_BODY_TOO_LARGE' && !awaitsInvitation(request, reply)) {
        await discardBody(request.raw);
      }
      // Fastify 5.12 closes the connection after any fault of a body, since more of it may come. None does here.
      if (error instanceof ServiceError && request.raw.complete) reply.removeHeader('connection');
      return sendProblem(error, request, reply, settings);
    });
    // What no route takes is answered before this: here a route itself has found nothing, such as no file.
    app.setNotFoundHandler((request, reply) => {
      const error = new ServiceError('not_found');
      app.observeUnmatched(error.status, reply.elapsedTime / 1_000);
      return sendProblem(error, request, reply, settings);
    });
  },
  { name: 'problems', fastify: '5.x', dependencies: ['metrics'] },
);

/** Answers with an error, from wherever in the life of a request. */
export function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  settings: ProblemOptions,
) {
  const error = hasLeft(request, thrown)
    ? new ServiceError('invalid_request')
    : toServiceError(thrown, request.routeOptions.bodyLimit);
  settings.logFault(request.log, error, () => describeRefused(request));
  // The address of the route, where there is one: that of the request may be encoded.
  const { contentType, text } = toErrorBody(
    error,
    request.routeOptions.url ?? request.url,
    request.id,
    settings,
  );
  return reply
    .code(error.status)
    .headers(error.headers)
    .header('content-type', contentType)
    .serializer((it: string) => it)
    .send(text);
}

/** Whether the client was never told to send its body, as it asked to be. Node notes that on the answer. */
function awaitsInvitation({ headers }: FastifyRequest, { raw }: FastifyReply): boolean {
  return headers.expect !== undefined && !hasSentContinue(raw);
}

/** Whether the client left before its body was whole: nobody reads the answer, and nothing here is at fault. */
function hasLeft({ raw }: FastifyRequest, thrown: unknown): boolean {
  return raw.readableAborted && (thrown as Partial<FastifyError> | undefined)?.code === 'ECONNRESET';
}

/** Any error as one of the catalogue. */
export function toServiceError(thrown: unknown, bodyLimit: number | undefined): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const { code, validation } = (thrown ?? {}) as Partial<FastifyError>;
  const known = code === undefined ? undefined : frameworkCodes[code];
  if (known === undefined) return new ServiceError('internal', { cause: thrown });
  const problems = validation?.slice(0, 100).map((it) => ({
    pointer: it.instancePath || `/${pointerToken(String(it.params['missingProperty'] ?? ''))}`,
    message: it.message ?? 'is not valid',
  }));
  const detail = describeFix(known, bodyLimit);
  return new ServiceError(known, { cause: thrown, ...(detail && { detail }), ...(problems && { problems }) });
}

function describeFix(code: ErrorCode, bodyLimit: number | undefined): string | undefined {
  // The charset and the encoding are told by what reads bodies: what is left is the type itself.
  if (code === 'unsupported_media_type') return 'Send content-type: application/json.';
  if (code === 'body_too_large' && bodyLimit !== undefined) return `A body may have ${bodyLimit} bytes.`;
  return undefined;
}

/** A colon; a parameter, with the expression that it must match where there is one; then what a pattern escapes. */
const patternParts = /::|:(\w+)(\([^()]*\))?|[.*+?^${}()|[\]\\]/g;

/** What the routes of an address take; parameters match one segment each, or what their expression says. */
function collectAddresses(app: FastifyInstance): (url: string) => Address {
  const routes: { route: RouteOptions; pattern: RegExp }[] = [];
  app.addHook('onRoute', (route) => {
    const { url, prefix } = route;
    const source = url.replace(patternParts, (part, _name, expression) => {
      if (part === '*') return '.*';
      if (part === '::') return ':';
      if (!part.startsWith(':')) return `\\${part}`;
      // The router gives an expression one segment; here it would take several.
      return expression?.replaceAll('[^', '[^/') ?? '[^/]*';
    });
    // The root of a prefix answers with a slash too, which Fastify tells no hook.
    const pattern = new RegExp(`^${source}${url !== '' && url === prefix ? '/?' : ''}$`);
    // Not what it asks for: later plugins say that.
    routes.push({ route, pattern });
  });
  return (url) => {
    // RFC 9112 lets a client write the whole address as the target, and the router takes that.
    const path = (url.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] as string).replace(/%3a/gi, ':');
    const found = routes.filter(({ pattern }) => pattern.test(path)).map(({ route }) => route);
    return {
      methods: [...new Set(found.flatMap(({ method }) => method))].sort(),
      needsKey: found.some(({ config }) => config?.needsKey),
    };
  };
}
