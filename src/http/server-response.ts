import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Draining } from './drain.js';

/**
 * The answers of this server: Node's own, with three promises.
 *
 * They carry `Connection: close` once draining, those to requests that came in before it as well: Fastify tells
 * only the requests that come later.
 *
 * A connection whose client takes no byte of an answer for `timeoutMs` is destroyed. Only bytes that wait set that
 * clock: an answer that is still being computed has none, and one that fits into the buffers of the system, as
 * nearly every one does, is out of our hands when `end` returns.
 *
 * And a pipelined answer whose connection closes before its turn is closed as well, so that the file behind it is.
 */
export function createResponseClass(draining: Draining, timeoutMs: number): typeof ServerResponse {
  return class Response<R extends IncomingMessage> extends ServerResponse<R> {
    override writeHead(...head: unknown[]): this {
      if (draining.isDraining) this.shouldKeepAlive = false;
      // The overloads of writeHead, and of those below, take the same arguments that came in.
      return super.writeHead(...(head as Parameters<ServerResponse['writeHead']>)) as this;
    }

    override write(...chunk: unknown[]): boolean {
      const isTaken = super.write(...(chunk as Parameters<ServerResponse['write']>));
      if (!isTaken && this.socket === null) closeWith(this.req.socket, this);
      else if (!isTaken) limitWait(this, timeoutMs);
      return isTaken;
    }

    override end(...chunk: unknown[]): this {
      super.end(...(chunk as Parameters<ServerResponse['end']>));
      limitWait(this, timeoutMs);
      return this;
    }

    /** A pipelined answer gets its connection when those before it are out; by then it may have been written. */
    override assignSocket(socket: Socket): void {
      super.assignSocket(socket);
      if (this.headersSent) limitWait(this, timeoutMs);
    }
  };
}

/**
 * Net's own timer starts anew whenever the system has taken bytes, and node:http destroys a socket whose timer ends
 * and to which nobody listens. So the cut comes after one to two times `timeoutMs`.
 */
function limitWait(response: ServerResponse, timeoutMs: number): void {
  const { socket } = response;
  if (socket === null || socket.writableLength === 0) return;
  socket.setTimeout(timeoutMs);
  // Before Node's own listener, which then sets the timer of an idle connection.
  const lift = (): void => {
    response.off('drain', lift).off('finish', lift);
    socket.setTimeout(0);
  };
  response.prependListener('drain', lift).prependListener('finish', lift);
}

/** Node 20 tells a closed connection to the answer that it is at alone: those that wait behind it would never know. */
function closeWith(socket: Socket, response: ServerResponse): void {
  const close = (): void => {
    if (response.socket !== null || response.destroyed) return;
    response.destroy();
    response.emit('close');
  };
  if (socket.destroyed) process.nextTick(close);
  else socket.once('close', close);
}
