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
  /** Resolves with what came and after how long, once the server has closed its side. */
  readonly closed: Promise<{ readonly text: string; readonly ms: number }>;
}

/**
 * A client that never closes its own side, whatever the server does: only the server's doing frees its descriptor
 * there. `reads` tells whether it takes what is sent.
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

/** What a client may do beside asking. */
interface Manner {
  /** Whether all on one connection, or each on one of its own. */
  readonly keepAlive?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** What an answer must hold to be a good one. */
  readonly expecting?: string;
  readonly pauseMs?: number;
}

/** POSTs a JSON text on a connection of the agent, or on one of its own; rejects when no whole answer comes. */
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

/** A connection that is open; what goes wrong with it later is not told. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

/**
 * One request after the other until stopped: an asker that does everything right. Whatever is not a 200 that holds the
 * text `expecting` has failed. `isFirstGood` tells it of the first, once it is there. Over TLS it trusts whatever
 * certificate it is shown, and begins each connection as a new client.
 */
export function startGoodClient(
  { port, url }: ServerProcess,
  path: string,
  body: string,
  { keepAlive = true, headers = {}, expecting = '', pauseMs = 2 }: Manner = {},
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
 * Waits until the server has held no more descriptors than this for a while, and gives how many are too many at the
 * deadline. For a while: what a client has left behind may still open a file.
 */
export async function waitForDescriptors(
  server: ServerProcess,
  most: number,
  deadlineMs: number,
): Promise<number> {
  const deadline = performance.now() + deadlineMs;
  let excess = 0;
  for (let calm = 0; calm < 10 && performance.now() < deadline; ) {
    excess = Math.max(0, countDescriptors(server) - most);
    calm = excess === 0 ? calm + 1 : 0;
    await pause(20);
  }
  return excess;
}

/** What the log says of errors: nothing that a client does is one. */
export const errorLines = (server: ServerProcess): string[] =>
  server.stdout.filter((line) => /"level":[56]0/.test(line));
