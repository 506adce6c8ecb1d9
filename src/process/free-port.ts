import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Checks that the address is free before any worker loads its models. Port 0 becomes one fixed port here: all workers
 * need the same one, including those that start later. Throws what `listen` throws.
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
