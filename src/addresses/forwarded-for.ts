import { readAddress } from './ip-address.js';
import type { TrustedProxies } from './trusted-proxies.js';

export interface Source {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** A request, or the readable part of one that Node's parser rejects. */
export interface RawRequest extends Source {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly rawHeaders: string[];
}

export interface Origin {
  /** Undefined if the connection has ended, since the system no longer has its address. */
  readonly address: string | undefined;
  /** An item of a trusted proxy that is not an address. `address` is then the proxy's own. */
  readonly unread?: string;
}

/**
 * Finds the last address in `X-Forwarded-For` that is not a trusted proxy, or else the peer's. The list is read from
 * its end, since proxies append to the client's own text. `Forwarded` (RFC 7239) is ignored: a proxy that does not
 * know it passes the client's header on.
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
    // Proxies trusted by their number may hide their address: only the client's is needed.
    if (next === undefined && end > 0 && isTrusted(item, hop)) continue;
    if (next === undefined) return { address, unread: item };
    address = next;
  }
  return { address };
}
