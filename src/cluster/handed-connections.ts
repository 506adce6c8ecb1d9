import type { ChildProcess } from 'node:child_process';
import { readAcknowledged, readHandOver } from '../node-internals.js';

/** A connection as node:cluster passes it on: the handle of a socket, and no stream around it. */
interface Connection {
  close(): void;
}

/** The connections that a worker was handed and has not taken yet. */
export interface HandedConnections {
  /** Closes them, once the worker and its channel have gone. */
  close(): void;
}

/**
 * Notes which connections a worker is handed. Node 20.20.2 keeps each until the worker says that it has it
 * (`RoundRobinHandle.handoff` in lib/internal/cluster/round_robin_handle.js): when that ends before, nobody closes it
 * and the client waits for ever. cluster does not show them, so this reads along on the channel; a Node that calls
 * its messages otherwise brings the wait back, and does no other harm. It costs a note a connection, not a request.
 */
export function noteHandedConnections(worker: ChildProcess): HandedConnections {
  const untaken = new Map<number, Connection>();

  worker.send = new Proxy(worker.send, {
    apply(send, self, args: [unknown, unknown?]) {
      const [message, connection] = args;
      // Left to the kernel, workers are handed the listener, which is not theirs alone: it has another `act`.
      const seq = readHandOver(message);
      if (seq !== undefined && isConnection(connection)) untaken.set(seq, connection);
      return Reflect.apply(send, self, args);
    },
  });
  // A worker that takes a connection says so before it reads from it; one that does not want it says that.
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
