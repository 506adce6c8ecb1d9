import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { hasSentContinue, responseInProgress, skipRemainingRequests } from '../src/node-internals.js';

/** Sends bytes to a server of Node's own and returns all that comes back. */
async function send(listener: RequestListener, bytes: string, event = 'request'): Promise<string> {
  const server = createServer().on(event, listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  socket.end(bytes);
  await once(socket, 'close');
  server.close();
  return text;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

test('the requests that Node has read and not parsed are skipped', async () => {
  const seen: (string | undefined)[] = [];
  const text = await send((request, response) => {
    seen.push(request.url);
    if (request.url === '/2') {
      response.shouldKeepAlive = false;
      skipRemainingRequests(request.socket);
    }
    response.end();
  }, ['/1', '/2', '/3', '/4'].map(get).join(''));
  expect(seen).toEqual(['/1', '/2']);
  expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
});

test('the response that a connection is at is known until it has ended', async () => {
  const found: boolean[] = [];
  let socket: Socket | undefined;
  await send((request, response) => {
    socket = request.socket;
    found.push(responseInProgress(socket) === response);
    response.on('finish', () =>
      setImmediate(() => found.push(responseInProgress(socket as Socket) === undefined)),
    );
    response.end();
  }, get('/'));
  expect(found).toEqual([true, true]);
});

test.each([
  ['request', false],
  ['checkContinue', true],
] as const)('whether `100 Continue` was sent is known: on %s', async (event, isSent) => {
  const found: boolean[] = [];
  const text = await send(
    (_request, response) => {
      if (event === 'checkContinue') response.writeContinue();
      found.push(hasSentContinue(response));
      response.end();
    },
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n${isSent ? 'Expect: 100-continue\r\n' : ''}\r\n`,
    event,
  );
  expect(found).toEqual([isSent]);
  expect(text.includes('100 Continue')).toBe(isSent);
});

test('node:cluster numbers each connection that it hands over, and the worker acknowledges the number', async () => {
  const child = fork('test/helpers/hand-over.ts', { execArgv: ['--import', 'tsx'] });
  const [notes] = await once(child, 'message');
  expect(notes).toEqual({ handed: [expect.any(Number)], acknowledged: notes.handed });
  expect(await once(child, 'exit')).toEqual([0, null]);
});
