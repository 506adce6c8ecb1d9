import type { ChildProcess } from 'node:child_process';
import { readAcknowledged, readHandOver } from '../node-internals.js';

/** A connection as node:cluster passes it to a worker: the bare handle of a socket, without a stream. */
interface Connection {
  close(): void;
}

export interface HandedConnections {
  /** Closes them. Call after the worker and its channel have closed. */
  close(): void;
}

/**
 * Tracks the connections that are sent to a worker. Node 20.20.2 keeps each handle until the worker acknowledges it
 * (`RoundRobinHandle.handoff` in lib/internal/cluster/round_robin_handle.js). If the worker ends before that, Node
 * never closes the handle, and the client waits for ever. node:cluster does not expose these handles, so this reads the
 * messages on the channel. If another version of Node renames them, that wait comes back and nothing else breaks.
 * The cost is one map entry per connection, not per request.
 */
export function noteHandedConnections(worker: ChildProcess): HandedConnections {
  const untaken = new Map<number, Connection>();

  worker.send = new Proxy(worker.send, {
    apply(send, self, args: [unknown, unknown?]) {
      const [message, connection] = args;
      // Under SCHED_NONE workers get the shared listener instead, in a message with another `act`: it must stay open.
      const seq = readHandOver(message);
      if (seq !== undefined && isConnection(connection)) untaken.set(seq, connection);
      return Reflect.apply(send, self, args);
    },
  });
  // A worker acknowledges a connection before it reads from it, also when it rejects it.
  worker.on('internalMessage', (message: unknown) => {
    const seq = readAcknowledged(message);
    if (seq !== undefined) untaken.delete(seq);
  });

  return {
    close() {
      for (const connection of untaken.values()) connection.close();
      untaken.clear();
    },
  };
}

function isConnection(handle: unknown): handle is Connection {
  return typeof handle === 'object' && handle !== null && 'close' in handle;
}
