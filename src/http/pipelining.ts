import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fp from 'fastify-plugin';
import { skipRemainingRequests } from '../node-internals.js';

/** Requests of one connection that one turn of the loop takes: some milliseconds at most. */
const maxInTurn = 32;

/**
 * Keeps one connection from holding up all others: Node reads up to 2 MB from a connection in a turn and answers every
 * request in them, which with small ones takes seconds. Whoever pipelines more than a turn takes is answered so many
 * and then closed, and has to send the rest again, as RFC 9112, 9.3.2, lets a server do.
 */
export default fp(
  async function pipeliningPlugin(app) {
    const closed = app.metrics
      .counter(
        'pipelining_closed_total',
        'Connections that were closed for pipelining more than one turn takes',
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
      // Of a Node whose parser goes on all the same.
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
