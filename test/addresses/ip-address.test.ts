import { isIPv6, SocketAddress } from 'node:net';
import { describe, expect, test } from 'vitest';
import { findOrigin } from '../../src/addresses/forwarded-for.js';
import { readAddress, toClient } from '../../src/addresses/ip-address.js';
import { readTrustedProxies } from '../../src/addresses/trusted-proxies.js';

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['203.0.113.7:4711', '203.0.113.7'],
  ['203.0.113.7:1', '203.0.113.7'],
  ['2001:db8::7', '2001:db8::7'],
  ['[2001:db8::7]', '2001:db8::7'],
  ['[2001:db8::7]:4711', '2001:db8::7'],
  ['[fe80::1%eth0]:4711', 'fe80::1'],
  ['fe80::1%eth0', 'fe80::1'],
  // Eight groups and a port: a ninth group is impossible.
  ['2001:db8:1:2:3:4:5:6:4711', '2001:db8:1:2:3:4:5:6'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7:4711', '203.0.113.7'],
  ['[::ffff:203.0.113.7]:4711', '203.0.113.7'],
  ['::ffff:cb00:7107', '203.0.113.7'],
  ['0:0:0:0:0:ffff:cb00:7107', '203.0.113.7'],
  ['::203.0.113.7', '::203.0.113.7'],
])('the address in %s is %s', (item, address) => {
  expect(readAddress(item)).toBe(address);
});

test.each([
  ...['', 'unknown', '_hidden', '_x:4711', 'localhost', 'example.com:80', '203.0.113', '203.0.113.7:', '-'],
  ...['203.0.113.7:port', '203.0.113.7:123456', '[203.0.113.7]:80', '[]', '[::1', '::1]', '[::1]x', '[::1]:'],
  ...[
    '1.2.3.4 5.6.7.8',
    '01.2.3.4',
    '999.1.1.1',
    '"203.0.113.7"',
    'for=203.0.113.7',
    '::g',
    'unix:',
    '1.2.3.4:5:6',
  ],
])('%j contains no address', (item) => {
  expect(readAddress(item)).toBeUndefined();
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
])('%s counts as %s', (address, client) => {
  expect(toClient(address)).toBe(client);
});

test('addresses of one /64 network are one client in any notation', () => {
  for (const text of ['2001:db8:0:7::1', '2001:db8::7:0:0:0:1', '2001:0db8:0000:0007:ffff::']) {
    expect(isIPv6(text)).toBe(true);
    expect(toClient(new SocketAddress({ address: text, family: 'ipv6' }).address)).toBe('2001:db8:0:7::/64');
    expect(toClient(text)).toBe('2001:db8:0:7::/64');
  }
});

describe('the origin of a request', () => {
  const client = '203.0.113.7';
  const originOf = (trust: string, forwarded: string, remoteAddress = '127.0.0.1') =>
    findOrigin(
      { headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress } },
      readTrustedProxies(trust),
    );

  test.each([
    ['127.0.0.1', `${client}:4711`],
    ['127.0.0.1', ` ,, ${client}:4711 , `],
    ['127.0.0.1', `\t1.2.3.4,${client}\t`],
    // Each proxy of a chain may write its port too.
    ['127.0.0.1,10.0.0.0/8', `1.2.3.4, ${client}:4711, 10.1.1.1:8080`],
    ['127.0.0.1,2001:db8::/32', `1.2.3.4, ${client}:4711, [2001:db8::1]:8080`],
    ['127.0.0.1,10.0.0.0/8', `${client}, ::ffff:10.1.1.1`],
    ['127.0.0.1,::ffff:10.0.0.0/104', `${client}, 10.1.1.1:80`],
    ['3', `1.2.3.4, ${client}, 10.1.1.1:80, 10.1.1.2:80`],
    ['3', `1.2.3.4, ${client}, _hidden, unknown`],
  ])('is the client if %s is trusted and %j forwarded', (trust, forwarded) => {
    expect(originOf(trust, forwarded)).toEqual({ address: client });
  });

  test.each(['unknown', '_x', `${client}, unknown`, `${client}, _hidden:80`, 'garbage, more'])(
    'is the proxy if it forwards %j',
    (forwarded) => {
      const unread = forwarded.split(', ').at(-1);
      expect(originOf('127.0.0.1', forwarded)).toEqual({ address: '127.0.0.1', unread });
    },
  );

  test('is the proxy that has forwarded a text without an address', () => {
    expect(originOf('127.0.0.1,10.0.0.0/8', 'unknown, 10.1.1.1:80')).toEqual({
      address: '10.1.1.1',
      unread: 'unknown',
    });
  });

  test.each(['', ' , ,'])('is the proxy, without an unreadable item, if it forwards %j', (forwarded) => {
    expect(originOf('127.0.0.1', forwarded)).toEqual({ address: '127.0.0.1' });
  });

  test('does not come from the header Forwarded', () => {
    const headers = { forwarded: `for=${client}` };
    const trust = readTrustedProxies('127.0.0.1');
    expect(findOrigin({ headers, socket: { remoteAddress: '127.0.0.1' } }, trust).address).toBe('127.0.0.1');
  });

  test('is unknown once the connection has ended', () => {
    expect(findOrigin({ headers: {}, socket: {} }, undefined)).toEqual({ address: undefined });
  });
});
