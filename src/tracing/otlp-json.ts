import { type Span, spanKinds } from './span.js';

const errorCode = 2;

/**
 * The body of a request to `/v1/traces`: `ExportTraceServiceRequest` in the JSON form of OTLP 1.x, whose ids are in
 * hexadecimal and whose times are nanoseconds since 1970 as text. `originMs` is the time since 1970 at which
 * `performance.now()` was 0.
 */
export function toOtlpJson(spans: readonly Span[], resource: Span['attributes'], originMs: number): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: toPairs(resource) },
        scopeSpans: [{ scope: { name: 'sardonyx' }, spans: spans.map((span) => toJson(span, originMs)) }],
      },
    ],
  });
}

function toJson(span: Span, originMs: number) {
  const { traceId, spanId, parentId, state, name, kind, attributes, isError, link } = span;
  return {
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    ...(state !== undefined && { traceState: state }),
    name,
    kind: spanKinds[kind],
    startTimeUnixNano: toNanoseconds(originMs + span.startedAt),
    endTimeUnixNano: toNanoseconds(originMs + span.endedAt),
    attributes: toPairs(attributes),
    ...(link !== undefined && { links: [{ traceId: link.traceId, spanId: link.spanId }] }),
    status: isError ? { code: errorCode } : {},
  };
}

/** Microseconds are whole numbers that a double represents exactly; nanoseconds since 1970 are not. */
function toNanoseconds(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

function toPairs(attributes: Span['attributes']) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toValue(value) }));
}

function toValue(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
