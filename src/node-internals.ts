import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

// Every private part of Node that Sardonyx reads or sets, and nothing else. Node promises none of them: look here
// first after an upgrade of Node. Checked with Node 20.20, 22.23 and 24.22 by test/node-internals.test.ts.
//
// part                          who uses it             without it
// socket.parser.onIncoming      http/pipelining         one connection may send more than 32 requests in a turn
// socket._httpMessage           http/client-errors      a broken request after an answer gets a second answer
// response._sent100             http/body/discard-body  a refused `Expect: 100-continue` leaves the connection open
// cluster's `newconn` and `ack` cluster/handed-…        a client waits for a worker that ended before it took the client
//
// The engine's private part is dist/binding.js of onnxruntime-node, in inference/engine/session.ts.

/** Node's number for "what follows is no HTTP": its parser passes over the rest of what was read. */
const notHttp = 2;

/** Makes Node's parser skip the requests that it has read from this connection and not parsed yet. */
export function skipRemainingRequests(socket: Socket): void {
  const { parser } = socket as { readonly parser?: { onIncoming?: () => number } | null };
  if (parser) parser.onIncoming = () => notHttp;
}

/** The response that a connection is at; undefined between two requests. Node's own handler of parse errors reads it. */
export function responseInProgress(socket: Socket): ServerResponse | undefined {
  return (socket as { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

/** Whether Node has sent `100 Continue` for this response. */
export function hasSentContinue(response: ServerResponse): boolean {
  return (response as { readonly _sent100?: boolean })._sent100 === true;
}

/** The number of a message in which node:cluster hands a connection to a worker; undefined for any other message. */
export function readHandOver(message: unknown): number | undefined {
  const { act, seq } = (message ?? {}) as { readonly act?: unknown; readonly seq?: unknown };
  return act === 'newconn' && typeof seq === 'number' ? seq : undefined;
}

/** The number of the message that a worker acknowledges: it has taken, or declined, that connection. */
export function readAcknowledged(message: unknown): number | undefined {
  const { ack } = (message ?? {}) as { readonly ack?: unknown };
  return typeof ack === 'number' ? ack : undefined;
}
