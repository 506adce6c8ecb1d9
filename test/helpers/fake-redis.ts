import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface FakeRedis extends AsyncDisposable {
  readonly url: string;
  /** The answer to all further commands, as bytes of the protocol. */
  become(answer: string): void;
  /** From now on all commands succeed; a script is answered with the name of its run. */
  heal(): void;
}

/** Gives the same answer to every command: for states that are hard to reach with a real Redis. */
export async function startFakeRedis(first: string): Promise<FakeRedis> {
  let answer = first;
  let isWell = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      // Each command is an array, and no argument of ours looks like the start of an array.
      const commands = bytes
        .toString('latin1')
        .split(/\*\d+\r\n(?=\$)/)
        .slice(1);
      if (!isWell) return void (answer !== '' && socket.write(answer.repeat(commands.length)));
      for (const command of commands) {
        const run = /run \d+/.exec(command)?.[0];
        socket.write(run === undefined ? '+OK\r\n' : `*1\r\n$${run.length}\r\n${run}\r\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    become: (next) => {
      answer = next;
    },
    heal: () => {
      isWell = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
