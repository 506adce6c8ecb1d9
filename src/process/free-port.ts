import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Finds out whether an address can be had before workers load their models for nothing, and settles which port 0
 * means: all workers need the same, those that start later too. Throws what listening throws.
 */
export async function findFreePort(host: string, port: number): Promise<number> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : port;
}
