import { lookup } from 'node:dns/promises';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/read-config.js';

/** Listens at the configured address. Where that cannot be, the server is closed, and what listening throws is thrown. */
export async function listen(app: FastifyInstance, config: Config, isWorker: boolean): Promise<void> {
  try {
    await app.listen({
      host: await resolveHost(config),
      port: config.PORT,
      // Who waits for "listening" waits for the whole, which the supervisor tells.
      listenTextResolver: (address) =>
        isWorker ? `worker listens at ${address}` : `listening at ${address}`,
    });
  } catch (error) {
    await app.close();
    throw error;
  }
}

/**
 * The one address that a name stands for, IPv4 before IPv6. For the name "localhost" Fastify would make a second server
 * at the second address, without this one's limits, refusals and end.
 */
export async function resolveHost({ HOST }: Config): Promise<string> {
  const { address } = await lookup(HOST, { order: 'ipv4first' });
  return address;
}
