import type { Socket } from 'node:net';

/**
 * Holds back what is written to a socket until the end of this turn of the loop, so that everything in it goes out in
 * one write. At most 0.1 ms are lost by it, and a system call for each command is saved.
 */
export function createGatherer(): (socket: Pick<Socket, 'cork' | 'uncork'>) => void {
  let isHeld = false;
  return (socket) => {
    if (isHeld) return;
    isHeld = true;
    socket.cork();
    setImmediate(() => {
      isHeld = false;
      socket.uncork();
    });
  };
}
