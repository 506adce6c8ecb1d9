import { once } from 'node:events';
import { createServer } from 'node:net';

/** Turns port 0 into one port for all workers, also later ones. Throws if the port is taken, before models load. */
export async function findFreePort(host: string, port: number): Promise<number> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : port;
}
