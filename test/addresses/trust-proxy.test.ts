import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';

/** Sends a request with this X-Forwarded-For over a socket from `from`, and gives its status. */
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
  await using server = await buildTestApp(trust === undefined ? {} : { TRUST_PROXY: trust });
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
    ['without TRUST_PROXY is the socket’s, whatever is forwarded', undefined, client, '127.0.0.1'],
    ['is the one that a trusted proxy forwards', '127.0.0.1', client, client],
    ['is the one that a proxy of a trusted network forwards', '10.0.0.0/8, 127.0.0.0/8', client, client],
    ['is the socket’s where the proxy is another', '127.0.0.2,10.0.0.0/8,::1', client, '127.0.0.1'],
    ['is the socket’s where a trusted proxy forwards none', '127.0.0.1', undefined, '127.0.0.1'],
    // A client may write what it likes in front of what the proxy adds.
    ['is the last that no trusted proxy has', '127.0.0.1', `1.2.3.4, ${client}`, client],
    ['is behind all trusted proxies', '127.0.0.1,10.0.0.0/8', `1.2.3.4, ${client}, 10.1.1.1`, client],
    ['is the same in two headers', '127.0.0.1', ['1.2.3.4', client], client],
    ['of IPv6 is forwarded too', '127.0.0.1', '2001:db8::7', '2001:db8:0:0::/64'],
    ['is as many proxies back as are in front', '2', `1.2.3.4, ${client}, 10.1.1.1`, client],
    ['is the nearest of fewer than these', '3', client, client],
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

  // A socket of all networks shows IPv4 addresses as IPv6 ones: ::ffff:127.0.0.1.
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

  test('are counted each for itself, with a port of every connection or in brackets', async () => {
    await using server = await buildTestApp(limits);
    const port = await listen(server);
    const statuses: number[] = [];
    for (const who of [
      '203.0.113.7:PORT',
      '203.0.113.8:PORT',
      '[2001:db8:1::7]:PORT',
      '[2001:db8:2::7]:PORT',
    ]) {
      for (let k = 0; k < 3; k += 1) {
        statuses.push(await ask(port, '127.0.0.1', who.replace('PORT', String(40_000 + k))));
      }
    }
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429, 200, 200, 429, 200, 200, 429]);
    expect(server.logs.filter(({ forwarded_for }) => forwarded_for !== undefined)).toEqual([]);
  });

  test('that the proxy does not name are counted as one, which one line a minute says', async () => {
    await using server = await buildTestApp(limits);
    const port = await listen(server);
    const statuses: number[] = [];
    for (const who of ['unknown', '_a', `sdx_${'k'.repeat(40)}`, '203.0.113.7']) {
      statuses.push(await ask(port, '127.0.0.1', who));
    }
    expect(statuses).toEqual([200, 200, 429, 200]);
    const lines = server.logs.filter(({ forwarded_for }) => forwarded_for !== undefined);
    expect(lines).toMatchObject([{ level: 40, proxy: '127.0.0.1', forwarded_for: '"unknown"' }]);
    const { text } = await server.get('/metrics');
    expect(text).toMatch(/^forwarded_addresses_unreadable_total 3$/m);
  });
});
