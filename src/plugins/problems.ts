import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import fp from 'fastify-plugin';
import { type ErrorCode, maxProblems, ServiceError } from '../errors.js';
import { discardBody } from '../http/body/discard-body.js';
import { describeRefused, type FaultLog } from '../http/refusal-log.js';
import { toErrorBody } from '../schemas/error-body.js';
import type { ProblemSettings } from '../schemas/problem.js';
import { pointerToken } from '../text/describe-value.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly addressOf: (url: string) => Address;
  }
}

interface Address {
  /** The methods of its routes; empty if the address is unknown. */
  readonly methods: readonly string[];
  /** Whether one of its routes needs a key. */
  readonly needsKey: boolean;
}

export interface ProblemOptions extends ProblemSettings {
  readonly logFault: FaultLog;
}

/** Fastify's own errors. Any other error is an `internal`. */
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

/** Answers every error in one form, and logs it. */
export default fp<ProblemOptions>(
  async function problemsPlugin(app, settings) {
    app.decorate('addressOf', collectAddresses(app));
    app.setErrorHandler(async (error: Partial<FastifyError> | undefined, request, reply) => {
      // `error` may be undefined: a promise can be rejected without a reason.
      if (error?.code === 'FST_ERR_CTP_BODY_TOO_LARGE') await discardBody(request.raw, reply.raw);
      // Fastify 5.12 closes the connection after any fault of a body. This body is complete, so the connection stays.
      if (error instanceof ServiceError && request.raw.complete) reply.removeHeader('connection');
      return sendProblem(error, request, reply, settings);
    });
    // Requests without a route are answered earlier, by `unmatched.ts`. Here a route has called `callNotFound`.
    app.setNotFoundHandler((request, reply) => {
      const error = new ServiceError('not_found');
      app.observeUnmatched(error.status, reply.elapsedTime / 1_000);
      return sendProblem(error, request, reply, settings);
    });
  },
  { name: 'problems', fastify: '5.x', dependencies: ['metrics'] },
);

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
  // The route's address comes first, because that of the request may be percent-encoded.
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

/** Whether the client closed the connection before its body was complete. That is no fault of the server. */
function hasLeft({ raw }: FastifyRequest, thrown: unknown): boolean {
  return raw.readableAborted && (thrown as Partial<FastifyError> | undefined)?.code === 'ECONNRESET';
}

/** Maps any error to an error of the catalogue. */
export function toServiceError(thrown: unknown, bodyLimit: number | undefined): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const { code, validation } = (thrown ?? {}) as Partial<FastifyError>;
  const known = code === undefined ? undefined : frameworkCodes[code];
  if (known === undefined) return new ServiceError('internal', { cause: thrown });
  const problems = validation?.slice(0, maxProblems).map((it) => ({
    pointer: it.instancePath || `/${pointerToken(String(it.params['missingProperty'] ?? ''))}`,
    message: it.message ?? 'is not valid',
  }));
  const detail = describeFix(known, bodyLimit);
  return new ServiceError(known, { cause: thrown, ...(detail && { detail }), ...(problems && { problems }) });
}

function describeFix(code: ErrorCode, bodyLimit: number | undefined): string | undefined {
  // The body parser reports a wrong charset or encoding itself, so here the type is wrong.
  if (code === 'unsupported_media_type') return 'Send content-type: application/json.';
  if (code === 'body_too_large' && bodyLimit !== undefined) return `A body may have ${bodyLimit} bytes.`;
  return undefined;
}

/** In this order: an escaped colon; a parameter and its optional expression; characters that a RegExp must escape. */
const patternParts = /::|:(\w+)(\([^()]*\))?|[.*+?^${}()|[\]\\]/g;

/** Finds the routes of an address. A parameter matches one segment, or its expression. */
function collectAddresses(app: FastifyInstance): (url: string) => Address {
  const routes: { route: RouteOptions; pattern: RegExp }[] = [];
  app.addHook('onRoute', (route) => {
    const { url, prefix } = route;
    const source = url.replace(patternParts, (part, _name, expression) => {
      if (part === '*') return '.*';
      if (part === '::') return ':';
      if (!part.startsWith(':')) return `\\${part}`;
      // The router applies an expression to one segment. Without this `[^/]` it could match several.
      return expression?.replaceAll('[^', '[^/') ?? '[^/]*';
    });
    // The root of a prefix also answers with a slash at its end. Fastify calls no hook for that route.
    const pattern = new RegExp(`^${source}${url !== '' && url === prefix ? '/?' : ''}$`);
    // The route is stored, not its config: plugins that are registered later set `needsKey`.
    routes.push({ route, pattern });
  });
  return (url) => {
    // RFC 9112 lets a client send a whole URL as the target, and the router accepts it.
    const path = (url.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] as string).replace(/%3a/gi, ':');
    const found = routes.filter(({ pattern }) => pattern.test(path)).map(({ route }) => route);
    return {
      methods: [...new Set(found.flatMap(({ method }) => method))].sort(),
      needsKey: found.some(({ config }) => config?.needsKey),
    };
  };
}
