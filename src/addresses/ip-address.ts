import { isIP } from 'node:net';

const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/;
const withPort = /^(.+):\d{1,5}$/;

/**
 * Reads the IP address in an item of `X-Forwarded-For`, without brackets, zone, or the port that Azure, HAProxy and
 * IIS add. An IPv4-mapped IPv6 address becomes IPv4. Undefined for other texts, such as `unknown` or `_x`.
 */
export function readAddress(item: string): string | undefined {
  if (isIP(item) === 4) return item;
  const inside = bracketed.exec(item)?.[1];
  if (inside !== undefined) return isIP(inside) === 6 ? plainV6(inside) : undefined;
  if (isIP(item) === 6) return plainV6(item);
  const before = withPort.exec(item)?.[1];
  if (before === undefined) return undefined;
  const family = isIP(before);
  return family === 4 ? before : family === 6 ? plainV6(before) : undefined;
}

/** One client is an IPv4 address or an IPv6 /64 network, since each host usually gets a whole /64. */
export function toClient(address: string): string {
  if (!address.includes(':')) return address;
  return `${groupsOf(address).slice(0, 4).map(toHex).join(':')}::/64`;
}

function plainV6(address: string): string {
  const [plain = ''] = address.split('%', 1);
  const groups = groupsOf(plain);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (!isMapped) return plain;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

function groupsOf(address: string): readonly number[] {
  const text = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${toHex((+a << 8) | +b)}:${toHex((+c << 8) | +d)}`,
  );
  const [head = '', tail] = text.split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    groups.push(...new Array<string>(8 - groups.length - after.length).fill('0'), ...after);
  }
  return groups.map((group) => Number.parseInt(group, 16));
}

function toHex(group: number): string {
  return group.toString(16);
}
