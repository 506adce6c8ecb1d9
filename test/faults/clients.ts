import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { request as requestSecurely, Agent as SecureAgent } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { expect } from 'vitest';
import type { ServerProcess } from '../helpers/server-process.js';

/** The full size of a row that has a small one for daily use. */
export const isFullSize = process.env['FAULTS'] === 'full';
export const sizeNote = isFullSize ? '' : '; full size with FAULTS=full';

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

/**
 * One request after the other until stopped, on one connection or on one for each: an asker that does everything
 * right. Over TLS it trusts whatever certificate it is shown, and begins each connection as a new client.
 */
export function startGoodClient(
  server: ServerProcess,
  path: string,
  body: string,
  {
    keepAlive = true,
    headers: more = {},
  }: { readonly keepAlive?: boolean; readonly headers?: Readonly<Record<string, string>> } = {},
) {
  const isSecure = server.url.startsWith('https:');
  const settings = { keepAlive, maxSockets: 1 };
  const agent = isSecure
    ? new SecureAgent({ ...settings, rejectUnauthorized: false, maxCachedSessions: 0 })
    : new Agent(settings);
  const times: number[] = [];
  let failed = 0;
  let isOver = false;
  const ask = () =>
    new Promise<void>((resolve) => {
      const started = performance.now();
      const headers = { 'content-type': 'application/json', 'content-length': body.length, ...more };
      const asked = (isSecure ? requestSecurely : request)(
        server.url + path,
        { agent, method: 'POST', headers },
        (response) => {
          response.resume().on('end', () => {
            times.push(performance.now() - started);
            if (response.statusCode !== 200) failed += 1;
            resolve();
          });
        },
      );
      asked.on('error', () => {
        failed += 1;
        resolve();
      });
      asked.end(body);
    });
  const asking = (async () => {
    while (!isOver) {
      await ask();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    async stop() {
      isOver = true;
      await asking;
      agent.destroy();
      times.sort((a, b) => a - b);
      expect(times.length).toBeGreaterThan(0);
      return { p99: times[Math.floor(times.length * 0.99)] as number, asked: times.length, failed };
    },
  };
}

export const countDescriptors = (server: ServerProcess): number =>
  readdirSync(`/proc/${server.child.pid}/fd`).length;

/** The processor time that a process has taken so far, in milliseconds: other processes have no part in it. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The most memory that the server ever had, in MB. */
export const peakMb = (server: ServerProcess): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1]) / 1_024;

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
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return excess;
}

/** What the log says of errors: nothing that a client does is one. */
export const errorLines = (server: ServerProcess): string[] =>
  server.stdout.filter((line) => /"level":[56]0/.test(line));
