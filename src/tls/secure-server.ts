import { constants } from 'node:crypto';
import type { Server, ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import fp from 'fastify-plugin';
import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';
import { readContent, watchFile } from '../files/watched-file.js';
import { describeValidity, isSamePair, type KeyPair, toKeyPair } from './key-pair.js';

export interface Tls {
  readonly pair: KeyPair;
  /** Options for Node's server. `handshakeTimeout` is in milliseconds. */
  options(handshakeTimeout: number): ServerOptions;
  /** Reads both files again. Throws `ConfigError` if they hold no valid pair. */
  read(): Promise<KeyPair>;
  /** Calls `onChange` after either file has changed. Returns a function that stops the watch. */
  watch(onChange: () => void): () => void;
}

/** TLS 1.3 has no renegotiation. In TLS 1.2 a client could use it to waste the server's time. */
const secureOptions = constants.SSL_OP_NO_RENEGOTIATION;
const intervalMs = 1_000;

/** Returns undefined if no certificate is configured. Throws `ConfigError` with one line for each problem. */
export async function readTls({ TLS_CERT_FILE, TLS_KEY_FILE }: Config): Promise<Tls | undefined> {
  if (TLS_CERT_FILE === undefined || TLS_KEY_FILE === undefined) return undefined;
  const files = { certFile: TLS_CERT_FILE, keyFile: TLS_KEY_FILE };
  const readBoth = () => Promise.all([readContent(files.certFile), readContent(files.keyFile)]);
  const [cert, key] = await readBoth();
  const pair = toKeyPair(cert, key, files);
  return {
    pair,
    options: (handshakeTimeout) => ({ ...pair.secrets, secureOptions, handshakeTimeout }),
    read: async () => toKeyPair(...(await readBoth()), files),
    watch(onChange) {
      const watches = [
        watchFile(files.certFile, cert, onChange, intervalMs),
        watchFile(files.keyFile, key, onChange, intervalMs),
      ];
      return () => {
        for (const watch of watches) watch.close();
      };
    },
  };
}

/**
 * Loads a renewed certificate without a restart; later connections get it. If the files hold no valid pair, the current
 * pair stays, and the problem is logged once.
 */
export default fp<{ tls: Tls }>(
  async function tlsPlugin(app, { tls }) {
    // The server of a Fastify with the option `https`.
    const server = app.server as unknown as Server;
    let current = tls.pair;
    let problem: string | undefined;
    const renew = async (): Promise<void> => {
      try {
        const next = await tls.read();
        problem = undefined;
        if (isSamePair(next, current)) return;
        server.setSecureContext({ ...next.secrets, secureOptions });
        current = next;
        logPair(next, 'certificate renewed');
      } catch (error) {
        const problems = error instanceof ConfigError ? error.lines : ['the pair cannot be used'];
        if (problem === problems.join()) return;
        problem = problems.join();
        app.log.warn({ problems, err: error }, 'certificate not renewed: the server keeps the current one');
      }
    };
    const logPair = (pair: KeyPair, message: string): void => {
      const { subject, validTo, fingerprint256 } = pair.certificate;
      app.log.info({ subject, valid_until: validTo, fingerprint: fingerprint256 }, message);
      const doubt = describeValidity(pair);
      if (doubt !== undefined) app.log.warn(doubt);
    };

    logPair(current, 'certificate in use');
    app.metrics.gaugeOf(
      'tls_certificate_expiry_timestamp_seconds',
      'When the TLS certificate in use expires, in seconds since 1970',
      () => Date.parse(current.certificate.validTo) / 1_000,
    );
    let renewing = Promise.resolve();
    const renewInTurn = () => {
      renewing = renewing.then(renew);
      return renewing;
    };
    const unwatch = tls.watch(renewInTurn);
    app.onReload(renewInTurn);
    app.addHook('onClose', async () => unwatch());
    closeHandshakes(server);
  },
  { name: 'tls', fastify: '5.x', dependencies: ['metrics', 'reload'] },
);

/** Closes failed handshakes, which Node 20 emits as `clientError`, and running ones, which its close skips. */
function closeHandshakes(server: Server): void {
  // Runs before Node's own listener, so that it finds the socket destroyed already.
  server.prependListener('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const closeRequests = server.closeAllConnections.bind(server);
  server.closeAllConnections = () => {
    closeRequests();
    for (const socket of sockets) socket.destroy();
  };
}
