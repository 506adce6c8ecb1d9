import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { exchangeRaw } from '../faults/instruments/raw-http.js';
import { buildEmptyApp, type TestApp } from '../helpers/app.js';
import { sha256 } from '../helpers/registry-folder.js';

const key = 'a-key-0123456789abcdef0123456789abcdef';
const API_KEYS = JSON.stringify([{ id: 'someone', sha256: sha256(key), scopes: ['predict'] }]);
async function listen(server: TestApp): Promise<number> {
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  return (server.app.server.address() as AddressInfo).port;
}

test.each([
  [['BREW /hea', 'lth HTTP/1.1\r\nHost: a\r\n\r\n'], 405],
  [['B', 'REW /predict HTTP/1.1\r\nHost: a\r\n\r\n'], 401],
  [['BREW /predict HT', 'TP/1.1\r\nHost: a\r\n', `X-API-Key: ${key}\r\n`, '\r\n'], 405],
  [['BREW /predict HTTP/1.1\r', '\nHost: a\r\n\r\n'], 401],
  [['BREW /nope HTTP/1.1\r\nHo', 'st: a\r\n\r\n'], 404],
  [['BREW /predict H2C', '/1.1\r\n\r\n'], 400],
  [['{"a":', '1}\r\n\r\n'], 400],
])(
  'a request with an unknown method gets the same status in pieces and whole: %j',
  async (pieces, status) => {
    await using server = await buildEmptyApp({ API_KEYS });
    const port = await listen(server);
    expect((await exchangeRaw(port, pieces)).statuses).toEqual([status]);
    expect((await exchangeRaw(port, [pieces.join('')])).statuses).toEqual([status]);
  },
);

test('a request with an unknown method that comes byte by byte is answered after a second', async () => {
  await using server = await buildEmptyApp({ API_KEYS });
  const port = await listen(server);
  const started = performance.now();
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined).write('BREW /predict HTTP/1.1\r\nX-A: ');
  const drip = setInterval(() => socket.write('a'), 50);
  const [answer] = await once(socket, 'data');
  clearInterval(drip);
  socket.destroy();
  expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
  expect(performance.now() - started).toBeLessThan(3_000);
});

test('an incomplete request with an unknown method is answered after a second', async () => {
  await using server = await buildEmptyApp({ API_KEYS });
  const port = await listen(server);
  const started = performance.now();
  const { statuses } = await exchangeRaw(port, ['BREW /predict HTTP/1.1\r\n'], 5_000);
  expect(statuses).toEqual([401]);
  expect(performance.now() - started).toBeGreaterThan(900);
});
