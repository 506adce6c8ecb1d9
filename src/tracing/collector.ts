import { messageOf } from '../errors.js';

export type SendResult =
  | { readonly rejected: number }
  /** `isPassing`: the same spans may be sent again. */
  | { readonly problem: string; readonly isPassing: boolean; readonly retryAfterMs?: number | undefined };

export interface Collector {
  send(body: string): Promise<SendResult>;
}

/** The answers after which OTLP lets a client send the same spans again. */
const passingStatuses = [429, 502, 503, 504];
const maxAnswerBytes = 65_536;

/** A collector that speaks OTLP/HTTP with JSON. */
export function createCollector(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Collector {
  return {
    async send(body) {
      try {
        const answer = await fetch(url, {
          method: 'POST',
          body,
          headers: { ...headers, 'content-type': 'application/json' },
          signal: AbortSignal.timeout(timeoutMs),
          // The headers may hold a secret, which must not go to another address.
          redirect: 'error',
        });
        if (!answer.ok) {
          await answer.body?.cancel();
          const isPassing = passingStatuses.includes(answer.status);
          const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
          const retryAfterMs = Number.isFinite(seconds) ? 1_000 * seconds : undefined;
          return { problem: `it answered ${answer.status}`, isPassing, retryAfterMs };
        }
        return { rejected: readRejected(await readBounded(answer)) };
      } catch (error) {
        const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
        return { problem: messageOf(cause), isPassing: true };
      }
    },
  };
}

/** The text of an answer; empty if it is too long. */
async function readBounded({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
    length += piece.length;
    // The end of the loop cancels the rest.
    if (length > maxAnswerBytes) return '';
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** The spans that the collector did not take, of `ExportTraceServiceResponse`. An answer of another form counts as 0. */
function readRejected(text: string): number {
  try {
    const { partialSuccess } = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: unknown } };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    return 0;
  }
}
