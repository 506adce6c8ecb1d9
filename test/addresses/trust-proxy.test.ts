import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import { buildEmptyApp, type TestApp } from '../helpers/app.js';

/** Sends a request with this X-Forwarded-For over a socket from `from`, and resolves with its status. */
function ask(port: number, from: string, forwarded: string | string[] | undefined): Promise<number> {
  const headers = {
    connection: 'close',
    ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
  };
  return new Promise((resolve, reject) => {
    get({ host: from, port, path: '/models', localAddress: from, headers }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    ).on('error', reject);
  });
}

async function listen(server: TestApp, host = '127.0.0.1'): Promise<number> {
  await server.app.listen({ port: 0, host });
  return (server.app.server.address() as { port: number }).port;
}

/** The client that a request with this X-Forwarded-For counts as, over a socket from `from` to a server at `host`. */
async function addressSeen(
  trust: string | undefined,
  forwarded: string | string[] | undefined,
  { host = '127.0.0.1', from = '127.0.0.1' } = {},
): Promise<string> {
  await using server = await buildEmptyApp(trust === undefined ? {} : { TRUST_PROXY: trust });
  let seen = '';
  server.app.server.prependListener('request', (request) => {
    seen = server.app.clientOf(request);
  });
  await ask(await listen(server, host), from, forwarded);
  return seen;
}

const client = '203.0.113.7';

describe('the address of a client', () => {
  test.each<[string, string | undefined, string | string[] | undefined, string]>([
    ['is the socket’s without TRUST_PROXY', undefined, client, '127.0.0.1'],
    ['is the one that a trusted proxy forwards', '127.0.0.1', client, client],
    ['is the one that a proxy of a trusted network forwards', '10.0.0.0/8, 127.0.0.0/8', client, client],
    ['is the socket’s if the proxy is not trusted', '127.0.0.2,10.0.0.0/8,::1', client, '127.0.0.1'],
    ['is the socket’s if a trusted proxy forwards none', '127.0.0.1', undefined, '127.0.0.1'],
    // A client may write any text in front of the proxy's item.
    ['is the last one that is not a trusted proxy', '127.0.0.1', `1.2.3.4, ${client}`, client],
    ['is the one before all trusted proxies', '127.0.0.1,10.0.0.0/8', `1.2.3.4, ${client}, 10.1.1.1`, client],
    ['is the last one of two headers', '127.0.0.1', ['1.2.3.4', client], client],
    ['may be forwarded as IPv6', '127.0.0.1', '2001:db8::7', '2001:db8:0:0::/64'],
    ['is found by a number of proxies', '2', `1.2.3.4, ${client}, 10.1.1.1`, client],
    ['is the first one if fewer proxies than the number are in front', '3', client, client],
  ])('%s', async (_what, trust, forwarded, expected) => {
    expect(await addressSeen(trust, forwarded)).toBe(expected);
  });

  const six = { host: '::1', from: '::1' };
  test.each<[string, string, string]>([
    ['::1', client, client],
    ['::/8', client, client],
    ['127.0.0.1', client, '0:0:0:0::/64'],
  ])('over IPv6, with %s trusted', async (trust, forwarded, expected) => {
    expect(await addressSeen(trust, forwarded, six)).toBe(expected);
  });

  // A server at :: sees IPv4 peers as IPv6 addresses: ::ffff:127.0.0.1.
  const mapped = { host: '::', from: '127.0.0.1' };
  test.each<[string, string, string]>([
    ['127.0.0.1', client, client],
    ['127.0.0.0/8', client, client],
    ['::ffff:127.0.0.1', client, client],
    ['10.0.0.0/8', client, '127.0.0.1'],
  ])('mapped into IPv6, with %s trusted', async (trust, forwarded, expected) => {
    expect(await addressSeen(trust, forwarded, mapped)).toBe(expected);
  });
});

describe('clients behind a proxy', () => {
  const limits = { TRUST_PROXY: '127.0.0.1', RATE_LIMIT_MAX: '2' };

  test('are counted separately, also with ports or in brackets', async () => {
    await using server = await buildEmptyApp(limits);
    const port = await listen(server);
    const statuses: number[] = [];
    for (const forwarded of [
      '203.0.113.7:PORT',
      '203.0.113.8:PORT',
      '[2001:db8:1::7]:PORT',
      '[2001:db8:2::7]:PORT',
    ]) {
      for (let k = 0; k < 3; k += 1) {
        statuses.push(await ask(port, '127.0.0.1', forwarded.replace('PORT', String(40_000 + k))));
      }
    }
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429, 200, 200, 429, 200, 200, 429]);
    expect(server.logs.filter(({ forwarded_for }) => forwarded_for !== undefined)).toEqual([]);
  });

  test('without a readable address count as one client, and one line a minute is logged', async () => {
    await using server = await buildEmptyApp(limits);
    const port = await listen(server);
    const statuses: number[] = [];
    for (const forwarded of ['unknown', '_a', `sdx_${'k'.repeat(40)}`, '203.0.113.7']) {
      statuses.push(await ask(port, '127.0.0.1', forwarded));
    }
    expect(statuses).toEqual([200, 200, 429, 200]);
    const lines = server.logs.filter(({ forwarded_for }) => forwarded_for !== undefined);
    expect(lines).toMatchObject([{ level: 40, proxy: '127.0.0.1', forwarded_for: '"unknown"' }]);
    const { text } = await server.get('/metrics');
    expect(text).toMatch(/^forwarded_addresses_unreadable_total 3$/m);
  });
});
