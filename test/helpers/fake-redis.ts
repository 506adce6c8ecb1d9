import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface FakeRedis extends AsyncDisposable {
  readonly url: string;
  /** What each command is answered from now on, as it goes over the wire. */
  become(answer: string): void;
}

/** Answers every command alike: for states that a real Redis is hard to bring into. */
export async function startFakeRedis(first: string): Promise<FakeRedis> {
  let answer = first;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      // Each command is an array, and no argument of ours looks like the beginning of one.
      const count = bytes.toString('latin1').match(/\*\d+\r\n\$/g)?.length ?? 0;
      if (answer !== '') socket.write(answer.repeat(count));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    become: (next) => {
      answer = next;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
