import { isIP } from 'node:net';

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * What counts as one client of those without a key: an IPv4 address, or the first 64 bits of an IPv6 one, since
 * every host gets as many addresses as it likes below them. What is no address, such as a proxy's `unknown`, is all one.
 */
export function toClient(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (!address.includes(':')) return isIP(address) === 4 ? address : 'unknown';
  const v4 = mapped.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  const [plain = ''] = address.split('%', 1);
  return isIP(plain) === 6 ? `${network(plain)}::/64` : 'unknown';
}

/** The first four groups of a valid IPv6 address, in one spelling. */
function network(address: string): string {
  const [head = '', tail] = address.split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    // An IPv4 address at the end stands for two groups.
    const given = groups.length + after.length + (tail.includes('.') ? 1 : 0);
    groups.push(...new Array<string>(8 - given).fill('0'), ...after);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
