import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectSecurely } from 'node:tls';

/** Opens a connection to a port of this machine. Its client side stays open until the caller closes it. */
export type Open = (port: number) => Promise<Socket>;

/** Connects from another local address, such as any of 127.0.0.0/8. */
export const openFrom =
  (localAddress: string): Open =>
  async (port) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return socket;
  };

export const openPlain = openFrom('127.0.0.1');

/** Accepts any certificate. */
export const openSecure: Open = async (port) => {
  const socket = connectSecurely({ socket: await openPlain(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
};

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends bytes on a new connection and reads until the server closes it or is silent for `silenceMs`. */
export async function sendRaw(
  port: number,
  bytes: string | Uint8Array,
  silenceMs = 500,
  open = openPlain,
): Promise<RawAnswer> {
  const socket = await open(port);
  const chunks: Buffer[] = [];
  socket.on('end', () => socket.end());
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => socket.destroy());
  socket.setTimeout(silenceMs, () => socket.destroy());
  socket.write(bytes);
  // Not once(): it rejects on an error, but an answer may still have come.
  await new Promise((resolve) => socket.on('close', resolve));
  return parseAnswer(Buffer.concat(chunks).toString('latin1'));
}

export interface RawExchange {
  /** The status of each answer, without interim ones (1xx). */
  readonly statuses: readonly number[];
  readonly text: string;
  /** Whether the server closed its side before it was silent for `silenceMs`. */
  readonly isClosed: boolean;
}

/** Sends pieces on a new connection, each in its own segment, and records all that comes back. */
export async function exchangeRaw(
  port: number,
  pieces: readonly (string | Uint8Array)[],
  silenceMs = 300,
  open = openPlain,
): Promise<RawExchange> {
  const socket = await open(port);
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('end', () => {
    isClosed = true;
    socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.setTimeout(silenceMs, () => socket.destroy());
  const closed = new Promise((resolve) => socket.on('close', resolve));
  for (const [k, piece] of pieces.entries()) {
    if (k > 0) await pause(10);
    if (!socket.destroyed) socket.write(piece);
  }
  await closed;
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  return { statuses: statuses.filter((status) => status >= 200), text, isClosed };
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(first.split(' ')[1] ?? 0),
    headers: new Map(headers),
    body: Buffer.from(text.slice(end + 4), 'latin1').toString(),
  };
}

/** The bytes of a POST, written by hand so that no client library changes them. */
export function rawPost(path: string, body: string | Uint8Array, headers: readonly string[] = []): Buffer {
  const bytes = Buffer.from(body);
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    ...(headers.some((line) => /^content-type:/i.test(line)) ? [] : ['Content-Type: application/json']),
    ...(headers.some((line) => /^(content-length|transfer-encoding):/i.test(line))
      ? []
      : [`Content-Length: ${bytes.length}`]),
    ...headers.filter((line) => line !== 'content-type:'),
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}
