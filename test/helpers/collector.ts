import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code?: number };
}

export interface TestCollector extends AsyncDisposable {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly resources: Readonly<Record<string, unknown>>[];
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[];
}

type Pairs = readonly { key: string; value: Record<string, unknown> }[];

/** A collector of OpenTelemetry that takes OTLP/HTTP as JSON, and keeps what it got. */
export async function startCollector(): Promise<TestCollector> {
  const spans: ReceivedSpan[] = [];
  const resources: Record<string, unknown>[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    requests.push({ path: `${request.method} ${request.url}`, headers: request.headers });
    for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
      resources.push(toRecord(resource.attributes));
      for (const { spans: some } of scopeSpans) spans.push(...some.map(toSpan));
    }
    response.setHeader('content-type', 'application/json').end('{"partialSuccess":{}}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resources,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function toSpan(span: ReceivedSpan & { startTimeUnixNano: string; endTimeUnixNano: string }): ReceivedSpan {
  const { startTimeUnixNano, endTimeUnixNano, ...rest } = span;
  const attributes = toRecord(span.attributes as unknown as Pairs);
  return {
    ...rest,
    attributes,
    startMs: Number(startTimeUnixNano) / 1e6,
    endMs: Number(endTimeUnixNano) / 1e6,
  };
}

function toRecord(pairs: Pairs): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
