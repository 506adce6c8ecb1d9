import type { IncomingMessage, ServerResponse } from 'node:http';
import { hasSentContinue } from '../../node-internals.js';

const maxBytes = 64 * 1_024 * 1_024;
const maxMs = 5_000;

/**
 * Reads and discards the rest of a body, up to 64 MB or 5 s. Closing the connection at once would reset it, and most
 * clients then report a broken pipe in place of the answer. A client that still waits for `100 Continue` sends no body.
 */
export function discardBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const awaitsInvitation = request.headers.expect !== undefined && !hasSentContinue(response);
    if (request.complete || request.readableEnded || request.destroyed || awaitsInvitation) return resolve();
    let bytes = 0;
    const end = (): void => {
      clearTimeout(timer);
      request.off('data', count).off('end', end).off('close', end).off('error', end);
      resolve();
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) end();
    };
    const timer = setTimeout(end, maxMs);
    request.on('data', count).on('end', end).on('close', end).on('error', end).resume();
  });
}
