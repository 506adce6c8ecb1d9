import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const get = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n';
const post = `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${loan.length}\r\n\r\n${loan}`;

async function start(build = buildTestApp) {
  const server = await build();
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  return { ...server, port: (server.app.server.address() as { port: number }).port };
}

/** Sends all bytes at once and reads until the server closes the connection or is silent for 300 ms. */
async function pipeline(port: number, bytes: string): Promise<{ answers: string[]; isClosed: boolean }> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('end', () => {
    isClosed = true;
  });
  socket.setTimeout(300, () => socket.destroy());
  socket.write(bytes);
  await once(socket, 'close');
  return { answers: text.split(/(?=HTTP\/1\.1 )/).filter(Boolean), isClosed };
}

test.each([
  ['GET', get],
  ['POST', post],
])('a client that pipelines 31 %s requests gets 31 answers', async (_name, request) => {
  await using server = await start();
  const { answers, isClosed } = await pipeline(server.port, request.repeat(31));
  expect(answers).toHaveLength(31);
  expect(answers.every((answer) => answer.startsWith('HTTP/1.1 200'))).toBe(true);
  expect(isClosed).toBe(false);
});

test.each([
  ['GET', get],
  ['POST', post],
])(
  'a client that pipelines 100 %s requests gets 32 answers, and the last one closes the connection',
  async (_name, request) => {
    await using server = await start();
    const { answers, isClosed } = await pipeline(server.port, request.repeat(100));
    expect(answers).toHaveLength(32);
    expect(answers.every((answer) => answer.startsWith('HTTP/1.1 200'))).toBe(true);
    expect(answers.filter((answer) => /^connection: close/im.test(answer))).toEqual([answers[31]]);
    expect(isClosed).toBe(true);
    expect(await server.app.metrics.text()).toMatch(/^pipelining_closed_total 1$/m);
  },
);

test('a client that sends 100 requests over several turns gets 100 answers', async () => {
  await using server = await start(buildEmptyApp);
  const socket = connect(server.port, '127.0.0.1');
  let answered = 0;
  socket.on('data', (chunk) => {
    answered += String(chunk).split('HTTP/1.1 200').length - 1;
  });
  for (let k = 1; k <= 5; k += 1) {
    socket.write(get.repeat(20));
    while (answered < 20 * k) await once(socket, 'data');
  }
  expect(answered).toBe(100);
  socket.destroy();
});

test('the body of the 32nd pipelined request may come in a later turn', async () => {
  await using server = await start();
  const socket = connect(server.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write(get.repeat(31) + post.slice(0, -loan.length));
  while (text.split('HTTP/1.1 200').length <= 31) await once(socket, 'data');
  socket.write(loan);
  await once(socket, 'close');
  expect(text.split('HTTP/1.1 200')).toHaveLength(33);
  expect(text).toMatch(/"prediction":.*}$/);
});
