import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** The number of open connections, and of all connections so far. */
  readonly open: number;
  readonly accepted: number;
  /** Passes all data at once, including data that was held back. */
  pass(): void;
  /** Delays each piece, or a share of the pieces drawn with a fixed seed, like a lossy line. */
  delay(ms: number, share?: number): void;
  /** Drops all data silently, as if the other machine had vanished. */
  stall(): void;
  /** Limits answers to this many bytes per second. */
  drip(bytesPerSecond: number): void;
  /** Stalls the open connections for ever; new connections pass. */
  strand(): void;
  /** Sets the target of new connections, like a failover behind an address. */
  retarget(port: number): void;
  /** Sends these bytes to all clients, as if the server had. */
  inject(bytes: string): void;
  /** Closes all connections now. */
  cut(): void;
}

type Mode =
  | { readonly kind: 'pass' | 'stall' }
  | { readonly kind: 'delay'; readonly ms: number; readonly share: number }
  | { readonly kind: 'drip'; readonly bytesPerSecond: number };

/** A proxy between a client and a server on this machine that can simulate network faults. */
export async function startTcpProxy(firstPort: number): Promise<TcpProxy> {
  let targetPort = firstPort;
  let mode: Mode = { kind: 'pass' };
  let accepted = 0;
  let random = 1;
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const lanes = new Set<{ wake(): void; strand(): void }>();

  /** One direction of one connection: pieces in order, each passed when it is due. */
  const createLane = (from: Socket, to: Socket, isAnswer: boolean) => {
    const pieces: { bytes: Buffer; readonly dueAt: number }[] = [];
    let timer: NodeJS.Timeout | undefined;
    let isEnded = false;
    let isStranded = false;
    const wake = () => {
      clearTimeout(timer);
      if (isStranded) return;
      for (let piece = pieces[0]; piece !== undefined && mode.kind !== 'stall'; piece = pieces[0]) {
        if (mode.kind === 'drip' && isAnswer) {
          to.write(piece.bytes.subarray(0, 1));
          piece.bytes = piece.bytes.subarray(1);
          if (piece.bytes.length === 0) pieces.shift();
          timer = setTimeout(wake, 1_000 / mode.bytesPerSecond);
          return;
        }
        const waitMs = mode.kind === 'delay' ? piece.dueAt - performance.now() : 0;
        if (waitMs > 0) {
          timer = setTimeout(wake, waitMs);
          return;
        }
        to.write(piece.bytes);
        pieces.shift();
      }
      if (isEnded && pieces.length === 0) to.end();
    };
    from.on('data', (bytes) => {
      random = (random * 48_271) % 2_147_483_647;
      const isLate = mode.kind === 'delay' && random / 2_147_483_647 < mode.share;
      pieces.push({ bytes, dueAt: performance.now() + (isLate && mode.kind === 'delay' ? mode.ms : 0) });
      // A delay or a rate limit that is under way keeps its pace.
      if (pieces.length === 1) wake();
    });
    from.on('end', () => {
      isEnded = true;
      if (pieces.length === 0 && mode.kind !== 'stall' && !isStranded) to.end();
    });
    const lane = {
      wake,
      strand: () => {
        isStranded = true;
      },
    };
    lanes.add(lane);
    from.on('close', () => {
      clearTimeout(timer);
      lanes.delete(lane);
    });
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1;
    clients.add(client);
    client.on('close', () => clients.delete(client));
    const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        if (mode.kind !== 'stall') other.destroy();
      });
    }
    createLane(client, upstream, false);
    createLane(upstream, client, true);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const become = (next: Mode) => {
    mode = next;
    for (const lane of lanes) lane.wake();
  };
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return sockets.size / 2;
    },
    get accepted() {
      return accepted;
    },
    pass: () => become({ kind: 'pass' }),
    delay: (ms, share = 1) => become({ kind: 'delay', ms, share }),
    stall: () => become({ kind: 'stall' }),
    drip: (bytesPerSecond) => become({ kind: 'drip', bytesPerSecond }),
    strand: () => {
      for (const lane of lanes) lane.strand();
      become({ kind: 'pass' });
    },
    retarget: (port) => {
      targetPort = port;
    },
    inject: (bytes) => {
      for (const client of clients) client.write(bytes);
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
