import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { afterAll, expect, test } from 'vitest';
import { askHttps } from '../helpers/ask-https.js';
import { createPair, noCertificates, type Pair, PairFolder } from '../helpers/certificates.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { countDescriptors, errorLines, startGoodClient, waitForDescriptors } from './instruments/clients.js';
import { fault } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

const folder = createRegistryFolder();
folder.addVersion('plain', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
  model: linearRegression([2], 1),
});
const golden = { path: '/models/plain/predict', body: { x: 20 } };
const body = JSON.stringify(golden.body);

if (noCertificates !== undefined) {
  test.skip(`H07 TLS handshakes are bounded: ${noCertificates}`, () => undefined);
} else {
  const files = new PairFolder(createPair('before'));
  afterAll(() => {
    files[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const headersTimeoutMs = 1_500;
  const environment = {
    MODELS_DIR: folder.path,
    HEADERS_TIMEOUT_MS: String(headersTimeoutMs),
    ...files.environment,
  };

  fault(
    'H07',
    'handshakes that never end are closed at the time limit, and leave no descriptor',
    async ({ server }) => {
      // The probe connects first.
      await new Promise((resolve) => setTimeout(resolve, 600));
      const before = countDescriptors(server);
      const good = startGoodClient(server, golden.path, body);
      const count = isFullSize ? 2_000 : 200;
      const started = performance.now();
      const hello = await recordHello();
      // No bytes; a record that drips; half a ClientHello; a full ClientHello and then nothing.
      const starts = [Buffer.alloc(0), Buffer.from('16030102', 'hex'), hello.subarray(0, 50), hello];
      const sockets: Socket[] = [];
      for (let k = 0; k < count; k += 1) {
        const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
        socket.on('error', () => undefined).resume();
        socket.write(starts[k % starts.length] as Buffer);
        sockets.push(socket);
        if (k % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const drip = setInterval(() => {
        for (const [k, socket] of sockets.entries()) if (k % 4 === 1 && !socket.destroyed) socket.write('\0');
      }, 250);
      let held = 0;
      // The server accepts one connection for each turn of its event loop; after the limit it closes them.
      while (held < count && performance.now() < started + headersTimeoutMs) {
        held = Math.max(held, countDescriptors(server) - before);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Promise.all(
        sockets.map((socket) => {
          if (socket.readableEnded || socket.destroyed) return undefined;
          // A byte that arrives after the server has closed is answered with a reset.
          return new Promise((resolve) => socket.on('end', resolve).on('close', resolve));
        }),
      );
      const closedMs = performance.now() - started;
      clearInterval(drip);
      // The clients have not closed their side, and the server must not wait for that.
      const { failed, asked, p99 } = await good.stop();
      const left = await waitForDescriptors(server, before, 5_000);
      for (const socket of sockets) socket.destroy();
      expect(held, 'handshakes that were open at once').toBeGreaterThan(count / 2);
      expect(closedMs).toBeLessThan(headersTimeoutMs + 1_500);
      expect(left, 'descriptors left').toBe(0);
      expect(failed).toBe(0);
      expect(errorLines(server)).toEqual([]);
      return `${count} handshakes that never end: closed after ${(closedMs / 1_000).toFixed(1)} s (limit ${headersTimeoutMs / 1_000}), fds left ${left}, good client failed ${failed} of ${asked}, p99 ${p99.toFixed(1)} ms${sizeNote}`;
    },
    { environment, golden },
  );

  fault(
    'H07',
    'requests are answered during a flood of handshakes',
    async ({ server, expectBlocked }) => {
      // A handshake uses the thread longer than a hundred predictions, so only the answers are asserted.
      expectBlocked();
      await new Promise((resolve) => setTimeout(resolve, 600));
      const before = countDescriptors(server);
      const good = startGoodClient(server, golden.path, body);
      const lastsMs = isFullSize ? 10_000 : 2_000;
      const until = performance.now() + lastsMs;
      let handshakes = 0;
      const flood = async () => {
        while (performance.now() < until) {
          // Without a session ticket each connection is a full handshake.
          const socket = connectSecurely({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
          socket.on('error', () => undefined);
          await once(socket, 'secureConnect');
          socket.destroy();
          handshakes += 1;
        }
      };
      await Promise.all(Array.from({ length: 20 }, flood));
      const { failed, asked, p99 } = await good.stop();
      const left = await waitForDescriptors(server, before, 5_000);
      expect(failed).toBe(0);
      expect(left).toBe(0);
      expect(handshakes).toBeGreaterThan(100);
      return `${Math.round((handshakes / lastsMs) * 1_000)} handshakes a second from 20 clients: good client failed ${failed} of ${asked}, p99 ${p99.toFixed(1)} ms, fds left ${left}${sizeNote}`;
    },
    { environment, golden },
  );

  fault(
    'H07',
    'a renewed certificate under load fails no request',
    async ({ server }) => {
      const good = startGoodClient(server, golden.path, body);
      const fresh = startGoodClient(server, golden.path, body, { keepAlive: false });
      const rounds = isFullSize ? 20 : 4;
      const tookMs: number[] = [];
      for (let k = 0; k < rounds; k += 1) {
        const pair: Pair = createPair(`renewed-${k}`);
        const written = performance.now();
        files.write(pair);
        let shownBy: string | undefined;
        while (shownBy !== `renewed-${k}`) {
          ({ shownBy } = await askHttps(`${server.url}/health/live`));
          expect(performance.now() - written).toBeLessThan(5_000);
        }
        tookMs.push(performance.now() - written);
      }
      const [kept, opened] = [await good.stop(), await fresh.stop()];
      expect([kept.failed, opened.failed]).toEqual([0, 0]);
      expect(errorLines(server)).toEqual([]);
      return `${rounds} renewals: failed requests ${kept.failed + opened.failed} of ${kept.asked + opened.asked}, new certificate after ${Math.max(...tookMs).toFixed(0)} ms at most (the files are checked every 1,000 ms)${sizeNote}`;
    },
    { environment, golden },
  );
}

/** The bytes of a ClientHello. */
async function recordHello(): Promise<Buffer> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address() as { port: number };
  const client = connectSecurely({ port: address.port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  const [taken] = (await once(listener, 'connection')) as [Socket];
  const [hello] = (await once(taken, 'data')) as [Buffer];
  client.destroy();
  taken.destroy();
  listener.close();
  return hello;
}
