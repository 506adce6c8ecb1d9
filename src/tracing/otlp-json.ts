import { type Span, spanKinds } from './span.js';

const errorCode = 2;

/**
 * The body of a request to `/v1/traces`: `ExportTraceServiceRequest` in the JSON form of OTLP 1.x, whose ids are in
 * hexadecimal and whose times are nanoseconds since 1970 as text. `originMs` is the time since 1970 at which
 * `performance.now()` was 0. The keys of attributes come from the code, and numbers are finite.
 */
export function toOtlpJson(spans: readonly Span[], resource: Span['attributes'], originMs: number): string {
  const scope = `"scope":{"name":"sardonyx"},"spans":[${spans.map((it) => toJson(it, originMs)).join(',')}]`;
  return `{"resourceSpans":[{"resource":{"attributes":[${toPairs(resource)}]},"scopeSpans":[{${scope}}]}]}`;
}

/** Written by hand: objects for `JSON.stringify` would be work for the garbage collector. */
function toJson(span: Span, originMs: number): string {
  const { traceId, spanId, parentId, state, name, kind, attributes, isError, link } = span;
  const parent = parentId === undefined ? '' : `,"parentSpanId":"${parentId}"`;
  const traceState = state === undefined ? '' : `,"traceState":${JSON.stringify(state)}`;
  const links =
    link === undefined ? '' : `,"links":[{"traceId":"${link.traceId}","spanId":"${link.spanId}"}]`;
  const start = toNanoseconds(originMs + span.startedAt);
  const end = toNanoseconds(originMs + span.endedAt);
  const times = `"startTimeUnixNano":"${start}","endTimeUnixNano":"${end}"`;
  const status = isError ? `{"code":${errorCode}}` : '{}';
  return `{"traceId":"${traceId}","spanId":"${spanId}"${parent}${traceState}${links},"name":${JSON.stringify(name)},"kind":${spanKinds[kind]},${times},"attributes":[${toPairs(attributes)}],"status":${status}}`;
}

/** Microseconds are whole numbers that a double represents exactly; nanoseconds since 1970 are not. */
function toNanoseconds(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

function toPairs(attributes: Span['attributes']): string {
  let text = '';
  for (const key in attributes) {
    const value = attributes[key] as string | number | boolean;
    text += `${text === '' ? '' : ','}{"key":"${key}","value":${toValue(value)}}`;
  }
  return text;
}

function toValue(value: string | number | boolean): string {
  if (typeof value === 'string') return `{"stringValue":${JSON.stringify(value)}}`;
  if (typeof value === 'boolean') return `{"boolValue":${value}}`;
  return Number.isSafeInteger(value) ? `{"intValue":"${value}"}` : `{"doubleValue":${value}}`;
}
