import { lookup } from 'node:dns/promises';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/read-config.js';

/** Listens at the configured address. If that fails, closes the server and throws the error of `listen`. */
export async function listen(app: FastifyInstance, config: Config, isWorker: boolean): Promise<void> {
  try {
    await app.listen({
      host: await resolveHost(config),
      port: config.PORT,
      // With several workers the line "listening at" means that all listen: the supervisor logs it.
      listenTextResolver: (address) =>
        isWorker ? `worker listens at ${address}` : `listening at ${address}`,
    });
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** One address, IPv4 first. For "localhost" Fastify would open a second server, without our limits and shutdown. */
export async function resolveHost({ HOST }: Config): Promise<string> {
  const { address } = await lookup(HOST, { order: 'ipv4first' });
  return address;
}
