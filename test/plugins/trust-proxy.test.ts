import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';

const channel = 'tracing:fastify.request.handler:start';

/** The `request.ip` of a request with this X-Forwarded-For, over a socket from `from` to a server that listens at `host`. */
async function addressSeen(
  trust: string | undefined,
  forwarded: string | string[] | undefined,
  { host = '127.0.0.1', from = '127.0.0.1' } = {},
): Promise<string> {
  await using server = await buildTestApp(trust === undefined ? {} : { TRUST_PROXY: trust });
  await server.app.listen({ port: 0, host });
  const { port } = server.app.server.address() as { port: number };
  let seen = '';
  const look = (message: unknown): void => {
    seen = (message as { request: { ip: string } }).request.ip;
  };
  subscribe(channel, look);
  try {
    await new Promise((resolve, reject) => {
      const headers = {
        connection: 'close',
        ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
      };
      get({ host: from, port, path: '/health/live', localAddress: from, headers }, (response) =>
        response.resume().on('end', resolve),
      ).on('error', reject);
    });
  } finally {
    unsubscribe(channel, look);
  }
  return seen;
}

const client = '203.0.113.7';

describe('the address of a client', () => {
  test.each<[string, string | undefined, string | string[] | undefined, string]>([
    ['without TRUST_PROXY is the socket’s, whatever is forwarded', undefined, client, '127.0.0.1'],
    ['is the one that a trusted proxy forwards', '127.0.0.1', client, client],
    ['is the one that a proxy of a trusted network forwards', '10.0.0.0/8, 127.0.0.0/8', client, client],
    ['is the socket’s where the proxy is another', '127.0.0.2,10.0.0.0/8,::1', client, '127.0.0.1'],
    ['is the socket’s where a trusted proxy forwards none', '127.0.0.1', undefined, '127.0.0.1'],
    // A client may write what it likes in front of what the proxy adds.
    ['is the last that no trusted proxy has', '127.0.0.1', `1.2.3.4, ${client}`, client],
    ['is behind all trusted proxies', '127.0.0.1,10.0.0.0/8', `1.2.3.4, ${client}, 10.1.1.1`, client],
    ['is the same in two headers', '127.0.0.1', ['1.2.3.4', client], client],
    ['of IPv6 is forwarded too', '127.0.0.1', '2001:db8::7', '2001:db8::7'],
    ['is as many proxies back as are in front', '2', `1.2.3.4, ${client}, 10.1.1.1`, client],
    ['is the nearest of fewer than these', '3', client, client],
  ])('%s', async (_what, trust, forwarded, expected) => {
    expect(await addressSeen(trust, forwarded)).toBe(expected);
  });

  const six = { host: '::1', from: '::1' };
  test.each<[string, string, string]>([
    ['::1', client, client],
    ['::/8', client, client],
    ['127.0.0.1', client, '::1'],
  ])('over IPv6, with %s trusted', async (trust, forwarded, expected) => {
    expect(await addressSeen(trust, forwarded, six)).toBe(expected);
  });

  // A socket of all networks shows IPv4 addresses as IPv6 ones: ::ffff:127.0.0.1.
  const mapped = { host: '::', from: '127.0.0.1' };
  test.each<[string, string, string]>([
    ['127.0.0.1', client, client],
    ['127.0.0.0/8', client, client],
    ['::ffff:127.0.0.1', client, client],
    ['10.0.0.0/8', client, '::ffff:127.0.0.1'],
  ])('mapped into IPv6, with %s trusted', async (trust, forwarded, expected) => {
    expect(await addressSeen(trust, forwarded, mapped)).toBe(expected);
  });
});
