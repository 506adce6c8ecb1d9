import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fp from 'fastify-plugin';
import { skipRemainingRequests } from '../node-internals.js';

/** Requests that one connection may send in one turn of the loop. They take a few milliseconds at most. */
const maxInTurn = 32;

/**
 * Keeps one connection from blocking all others. Node reads up to 2 MB from a connection in a turn and answers every
 * request in them, which takes seconds if they are small. A client that pipelines 32 requests or more in one turn gets
 * 32 answers. Then its connection is closed, and it must send the rest again (RFC 9112, 9.3.2).
 */
export default fp(
  async function pipeliningPlugin(app) {
    const closed = app.metrics
      .counter(
        'pipelining_closed_total',
        'Connections that were closed because they pipelined too many requests at once',
      )
      .series({});
    const inTurn = new Map<Socket, number>();
    const endTurn = (): void => inTurn.clear();
    const [answer] = app.server.listeners('request');
    app.server.removeAllListeners('request');
    app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      if (inTurn.size === 0) setImmediate(endTurn);
      const count = (inTurn.get(socket) ?? 0) + 1;
      inTurn.set(socket, count);
      // In case a version of Node does not skip the remaining requests.
      if (count > maxInTurn) return;
      if (count === maxInTurn) {
        closed.add(1);
        response.shouldKeepAlive = false;
        socket.pause();
        skipRemainingRequests(socket);
      }
      answer?.call(app.server, request, response);
    });
  },
  { name: 'pipelining', fastify: '5.x', dependencies: ['metrics'] },
);
