import { readAddress } from './ip-address.js';
import type { TrustedProxies } from './trusted-proxies.js';

/** Of a request, what says where it comes from. */
export interface Source {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** A request, or what could be read of one that Node's parser refuses. */
export interface RawRequest extends Source {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly rawHeaders: string[];
}

export interface Origin {
  /** Undefined where the connection has ended: then the system does not tell its address any more. */
  readonly address: string | undefined;
  /** What a trusted proxy named as the client and is no address: `address` is then the proxy's own. */
  readonly unread?: string;
}

/**
 * Where a request comes from: the last address of `X-Forwarded-For` that no trusted proxy has, or that of the
 * connection. A client may write what it likes in front of what the proxies add, so that it is read from its end.
 * `Forwarded` (RFC 7239) is not read: a proxy that does not know it hands on a client's own.
 */
export function findOrigin({ headers, socket }: Source, isTrusted: TrustedProxies | undefined): Origin {
  const peer = socket.remoteAddress === undefined ? undefined : readAddress(socket.remoteAddress);
  const forwarded = headers['x-forwarded-for'];
  if (isTrusted === undefined || peer === undefined || forwarded === undefined) return { address: peer };
  let address = peer;
  let hop = 0;
  let end = String(forwarded).length;
  const text = String(forwarded);
  while (end > 0 && isTrusted(address, hop)) {
    const start = text.lastIndexOf(',', end - 1);
    const item = text.slice(start + 1, end).trim();
    end = start;
    if (item === '') continue;
    hop += 1;
    const next = readAddress(item);
    // Proxies that are trusted by their number alone may hide their address: only that of the client is needed.
    if (next === undefined && end > 0 && isTrusted(item, hop)) continue;
    if (next === undefined) return { address, unread: item };
    address = next;
  }
  return { address };
}
