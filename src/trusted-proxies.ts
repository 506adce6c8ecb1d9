import { isIP } from 'node:net';

export const proxiesForm =
  'addresses or networks with commas between, such as "10.0.0.0/8,::1", or the number of proxies, from 1 to 32';

/** Whom to believe: addresses and networks, or a check of an address by how many have passed the request on before. */
export type TrustedProxies = string[] | ((address: string, hop: number) => boolean);

/**
 * What TRUST_PROXY says; undefined for a text that says nothing. Nobody is believed without being named: neither
 * "true" nor a network of everybody is taken. A number believes whoever connects, as the operator says that only
 * proxies can: Fastify 5.12 itself takes a number for none.
 */
export function readTrustedProxies(text: string): TrustedProxies | undefined {
  if (/^\d+$/.test(text)) {
    const count = Number(text);
    return count >= 1 && count <= 32 ? (_address, hop) => hop < count : undefined;
  }
  const proxies = text.split(',').map((proxy) => proxy.trim());
  return proxies.every(isNetwork) ? proxies : undefined;
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0) return false;
  return (
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  );
}
