import { constants } from 'node:crypto';
import type { Server, ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import fp from 'fastify-plugin';
import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';
import { readContent, watchFile } from '../files/watched-file.js';
import { describeValidity, type KeyPair, toKeyPair } from './key-pair.js';

/** What a server needs to speak TLS: its pair, and the files that a renewed one comes from. */
export interface Tls {
  readonly pair: KeyPair;
  /** For Node's own server: a handshake may take no longer than the headers of a request. */
  options(handshakeTimeout: number): ServerOptions;
  /** Reads both files again. Throws `ConfigError` where they hold no pair. */
  read(): Promise<KeyPair>;
  /** Calls back after either file has changed. Gives what ends that. */
  watch(onChange: () => void): () => void;
}

/** Without renegotiation, which TLS 1.3 no longer has: its only use is to make the server compute. */
const secureOptions = constants.SSL_OP_NO_RENEGOTIATION;
const intervalMs = 1_000;

/** Reads the certificate and its key; undefined where none is configured. Throws `ConfigError` with a line a problem. */
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
 * Keeps a server that speaks TLS at its newest certificate: a renewed pair is used for the connections that come
 * from then on. Files that hold no pair change nothing, and are told of once, not each time they are looked at.
 */
export default fp<{ tls: Tls }>(
  async function tlsPlugin(app, { tls }) {
    // A Fastify that was given `https` has this kind of server.
    const server = app.server as unknown as Server;
    let current = tls.pair;
    let problem: string | undefined;
    const renew = async (): Promise<void> => {
      try {
        const next = await tls.read();
        problem = undefined;
        if (next.certificate.fingerprint256 === current.certificate.fingerprint256) return;
        server.setSecureContext({ ...next.secrets, secureOptions });
        current = next;
        tell(next, 'certificate renewed');
      } catch (error) {
        const problems = error instanceof ConfigError ? error.lines : ['the pair cannot be used'];
        if (problem === problems.join()) return;
        problem = problems.join();
        app.log.warn(
          { problems, err: error },
          'certificate not renewed: the last one that was sound is kept',
        );
      }
    };
    const tell = (pair: KeyPair, message: string): void => {
      const { subject, validTo, fingerprint256 } = pair.certificate;
      app.log.info({ subject, valid_until: validTo, fingerprint: fingerprint256 }, message);
      const doubt = describeValidity(pair);
      if (doubt !== undefined) app.log.warn(doubt);
    };

    tell(current, 'certificate in use');
    let renewing = Promise.resolve();
    const renewInTurn = () => {
      renewing = renewing.then(renew);
      return renewing;
    };
    const unwatch = tls.watch(renewInTurn);
    app.onReload(renewInTurn);
    app.addHook('onClose', async () => unwatch());
    closeWhatIsNoRequest(server);
  },
  { name: 'tls', fastify: '5.x', dependencies: ['reload'] },
);

/** Node 20 hands a handshake that failed to whoever answers requests, and forgets those that go on when it cuts. */
function closeWhatIsNoRequest(server: Server): void {
  // Before Node's own listener: to who is told of it next, the connection is one that has gone.
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
