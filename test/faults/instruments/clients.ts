import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { request as requestSecurely, Agent as SecureAgent } from 'node:https';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectSecurely } from 'node:tls';
import { expect } from 'vitest';
import type { ServerProcess } from '../../helpers/server-process.js';
import { p99 } from './percentile.js';

export interface HeldClient {
  readonly socket: Socket;
  /** Resolves with the received text and the elapsed time once the server has closed its side. */
  readonly closed: Promise<{ readonly text: string; readonly ms: number }>;
}

/**
 * Opens a connection whose client side stays open, so that only the server can free its descriptor.
 * A client with `reads` false never reads what the server sends.
 */
export function holdClient(port: number, bytes: string, reads = true, isSecure = false): HeldClient {
  const started = performance.now();
  const plain = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const socket = isSecure ? connectSecurely({ socket: plain, rejectUnauthorized: false }) : plain;
  let text = '';
  const closed = new Promise<{ text: string; ms: number }>((resolve) => {
    const end = () => resolve({ text, ms: performance.now() - started });
    socket.on('end', end).on('close', end);
  });
  socket.on('error', () => undefined);
  if (reads) {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
  } else socket.pause();
  socket.write(bytes);
  return { socket, closed };
}

interface GoodClientOptions {
  /** True: all requests share one connection. False: each request opens its own. */
  readonly keepAlive?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** A good answer contains this text. */
  readonly expecting?: string;
  readonly pauseMs?: number;
}

/** POSTs a JSON text through the agent, or on a new connection without one. Rejects if the answer is incomplete. */
export function postOn(
  agent: Agent | undefined,
  port: number,
  path: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...more,
  };
  return new Promise((resolve, reject) => {
    const send = agent instanceof SecureAgent ? requestSecurely : request;
    send({ agent, port, method: 'POST', path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end(body);
  });
}

/** Opens a connection, and ignores its later errors. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

/**
 * A well-behaved client: it sends one request after the other until it is stopped. An answer fails unless it has status
 * 200 and contains `expecting`. `isFirstGood` resolves with the outcome of the first request. Over TLS the client
 * accepts any certificate and never resumes a session.
 */
export function startGoodClient(
  { port, url }: ServerProcess,
  path: string,
  body: string,
  { keepAlive = true, headers = {}, expecting = '', pauseMs = 2 }: GoodClientOptions = {},
) {
  const settings = { keepAlive, maxSockets: 1 };
  const agent = url.startsWith('https:')
    ? new SecureAgent({ ...settings, rejectUnauthorized: false, maxCachedSessions: 0 })
    : new Agent(settings);
  const times: number[] = [];
  const counts = { answered: 0, failed: 0 };
  let isOver = false;
  const ask = async (): Promise<boolean> => {
    const started = performance.now();
    const answer = await postOn(agent, port, path, body, headers).catch(() => undefined);
    if (answer !== undefined) times.push(performance.now() - started);
    const isGood = answer?.status === 200 && answer.text.includes(expecting);
    counts[isGood ? 'answered' : 'failed'] += 1;
    return isGood;
  };
  const isFirstGood = ask();
  const asking = (async () => {
    await isFirstGood;
    while (!isOver) {
      if (pauseMs > 0) await pause(pauseMs);
      await ask();
    }
  })();
  return {
    isFirstGood,
    async stop() {
      isOver = true;
      await asking;
      agent.destroy();
      expect(times.length).toBeGreaterThan(0);
      return { ...counts, asked: counts.answered + counts.failed, p99: p99(times) };
    },
  };
}

export const countDescriptors = (server: ServerProcess): number =>
  readdirSync(`/proc/${server.child.pid}/fd`).length;

/**
 * Waits until the server holds at most `max` descriptors in ten looks in a row, since a request of a client that has
 * left may still open a file. Returns the excess of the last look: 0, or more if the deadline has passed.
 */
export async function waitForDescriptors(
  server: ServerProcess,
  max: number,
  deadlineMs: number,
): Promise<number> {
  const deadline = performance.now() + deadlineMs;
  let excess = 0;
  for (let calm = 0; calm < 10 && performance.now() < deadline; ) {
    excess = Math.max(0, countDescriptors(server) - max);
    calm = excess === 0 ? calm + 1 : 0;
    await pause(20);
  }
  return excess;
}

/** The error and fatal lines of the log. Nothing that a client does may cause one. */
export const errorLines = (server: ServerProcess): string[] =>
  server.stdout.filter((line) => /"level":[56]0/.test(line));
