import { BlockList, isIP } from 'node:net';
import { readAddress } from './ip-address.js';

export const proxiesForm =
  'addresses or networks with commas between, such as "10.0.0.0/8,::1", or the number of proxies, from 1 to 32';

/** Whether an address is a trusted proxy. Hop 0 is the peer. */
export type TrustedProxies = (address: string, hop: number) => boolean;

/** Undefined for an invalid TRUST_PROXY, such as "true" or a network of all addresses. A number trusts every peer. */
export function readTrustedProxies(text: string): TrustedProxies | undefined {
  if (/^\d+$/.test(text)) {
    const count = Number(text);
    return count >= 1 && count <= 32 ? (_address, hop) => hop < count : undefined;
  }
  const proxies = text.split(',').map((proxy) => proxy.trim());
  if (!proxies.every(isNetwork)) return undefined;
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', prefix] = proxy.split('/');
    const plain = readAddress(address) ?? address;
    const isMapped = isIP(plain) !== isIP(address);
    const family = isIP(plain) === 4 ? 'ipv4' : 'ipv6';
    if (prefix === undefined) list.addAddress(plain, family);
    else if (!isMapped) list.addSubnet(plain, Number(prefix), family);
    else if (Number(prefix) > 96) list.addSubnet(plain, Number(prefix) - 96, 'ipv4');
    else list.addSubnet(address, Number(prefix), 'ipv6');
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0) return false;
  return (
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  );
}
