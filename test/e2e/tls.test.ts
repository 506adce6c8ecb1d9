import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import { askHttps } from '../helpers/ask-https.js';
import { createChain, createPair, moveDates, noCertificates, PairFolder } from '../helpers/certificates.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import {
  runServerToItsEnd,
  type ServerProcess,
  startServerProcess,
  waitForLine,
} from '../helpers/server-process.js';

/** Log lines of a level, without the warning about missing API keys. */
const complaints = (server: ServerProcess, level: RegExp): string[] =>
  server.stdout.filter((line) => level.test(line) && !line.includes('there are no API keys'));

const folder = createRegistryFolder();
folder.addVersion('double', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
  model: linearRegression([2]),
});
const models = { MODELS_DIR: folder.path };
afterAll(() => folder[Symbol.dispose]());

describe.skipIf(noCertificates)(`a server with a certificate${noCertificates ?? ''}`, () => {
  const [first, second] = [createPair('first'), createPair('second')];

  test('answers over TLS to a client that trusts it, and shows https addresses', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({ ...models, ...files.environment });
    expect(server.url).toMatch(/^https:/);
    const { status, text } = await askHttps(`${server.url}/predict`, { ca: first.cert, body: { x: 21 } });
    expect([status, JSON.parse(text).prediction]).toEqual([200, 42]);
    expect(server.stdout.join('\n')).toContain(`"msg":"listening at ${server.url}"`);
    await expect
      .poll(() => server.stderr.join('\n'))
      .toContain(`Page     ${server.url}/\n  Manual   ${server.url}/docs`);
    expect(server.stderr.join('\n')).toContain(`curl ${server.url}/predict`);
    expect(server.stdout.find((line) => line.includes('certificate in use'))).toContain('CN=first');
  });

  test('speaks only TLS 1.2 and 1.3, even if Node was started with --tls-min-v1.0', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({
      ...models,
      ...files.environment,
      NODE_OPTIONS: '--tls-min-v1.0',
    });
    const speak = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      askHttps(`${server.url}/health/live`, {
        minVersion: version,
        maxVersion: version,
        // OpenSSL requires this before it offers such an old version.
        ciphers: 'DEFAULT@SECLEVEL=0',
      }).then(
        ({ status }) => status,
        ({ message }) => message,
      );
    expect(await speak('TLSv1.3')).toBe(200);
    expect(await speak('TLSv1.2')).toBe(200);
    expect(await speak('TLSv1.1')).toContain('alert protocol version');
  });

  test('closes a connection that speaks plain HTTP, and logs nothing', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({ ...models, ...files.environment });
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'end');
    socket.destroy();
    expect(text).not.toContain('HTTP/1.1');
    expect((await askHttps(`${server.url}/health/live`)).status).toBe(200);
    expect(complaints(server, /"level":[456]0/)).toEqual([]);
  });

  test('uses a renewed certificate in both of two workers', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({ ...models, ...files.environment, WORKERS: '2' });
    expect(server.url).toMatch(/^https:/);
    for (let k = 0; k < 4; k += 1) {
      expect((await askHttps(`${server.url}/predict`, { body: { x: 1 } })).shownBy).toBe('first');
    }
    files.write(second);
    await waitForLine(server, 'certificate renewed', 2);
    for (let k = 0; k < 4; k += 1) {
      expect((await askHttps(`${server.url}/health/live`)).shownBy).toBe('second');
    }
  });
});

describe.skipIf(noCertificates)('a renewed certificate', () => {
  const [first, second] = [createPair('first'), createPair('second')];

  test('is used for new connections, while open connections continue', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({ ...models, ...files.environment });
    const old = connectSecurely({ port: server.port, host: '127.0.0.1', ca: first.cert });
    await once(old, 'secureConnect');
    files.write(second);
    await waitForLine(server, 'certificate renewed');
    expect((await askHttps(`${server.url}/health/live`, { ca: second.cert })).shownBy).toBe('second');
    old.write('GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(String((await once(old, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
    old.destroy();
  });

  test('has a chain that may be mended under the same certificate', async () => {
    const { root, between, pair } = createChain('leaf');
    using files = new PairFolder(pair);
    await using server = await startServerProcess({ ...models, ...files.environment });
    const ask = () => askHttps(`${server.url}/health/live`, { ca: root });
    await expect(ask()).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    writeFileSync(files.certFile, `${pair.cert}${between}`);
    await waitForLine(server, 'certificate renewed');
    expect(await ask()).toMatchObject({ status: 200, shownBy: 'leaf' });
  });

  test('waits for its key: the old pair is kept until certificate and key match', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({ ...models, ...files.environment });
    writeFileSync(files.certFile, second.cert);
    await waitForLine(server, 'certificate not renewed');
    expect((await askHttps(`${server.url}/health/live`)).shownBy).toBe('first');
    writeFileSync(files.keyFile, second.key);
    await waitForLine(server, 'certificate renewed');
    expect((await askHttps(`${server.url}/health/live`)).shownBy).toBe('second');
    expect(server.stdout.filter((line) => line.includes('certificate not renewed'))).toHaveLength(1);
  });

  test('that is broken is logged once', async () => {
    using files = new PairFolder(first);
    await using server = await startServerProcess({ ...models, ...files.environment });
    // Three different files with the same problem.
    for (const junk of ['junk', 'more junk', 'junk again']) {
      writeFileSync(files.keyFile, junk);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    }
    const lines = server.stdout.filter((line) => line.includes('certificate not renewed'));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 40, problems: [`TLS_KEY_FILE: ${files.keyFile} holds no private key as PEM`] },
    ]);
    expect((await askHttps(`${server.url}/health/live`)).shownBy).toBe('first');
    files.write(second);
    await waitForLine(server, 'certificate renewed');
  });

  test('is found if the folder behind a symbolic link is swapped, as Kubernetes does', async () => {
    using files = new PairFolder();
    for (const [name, { cert, key }] of Object.entries({ '..1': first, '..2': second })) {
      mkdirSync(join(files.path, name));
      writeFileSync(join(files.path, name, 'tls.crt'), cert);
      writeFileSync(join(files.path, name, 'tls.key'), key);
    }
    symlinkSync('..1', join(files.path, '..data'));
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(files.path, name));
    await using server = await startServerProcess({ ...models, ...files.environment });
    expect((await askHttps(`${server.url}/health/live`)).shownBy).toBe('first');
    symlinkSync('..2', join(files.path, '..data_tmp'));
    renameSync(join(files.path, '..data_tmp'), join(files.path, '..data'));
    await waitForLine(server, 'certificate renewed');
    expect((await askHttps(`${server.url}/health/live`)).shownBy).toBe('second');
    expect(server.stdout.filter((line) => line.includes('not renewed'))).toEqual([]);
  });
});

describe.skipIf(noCertificates)('a server with a certificate that gets SIGTERM', () => {
  const pair = createPair('stops');

  test('answers the request that is coming in, and closes its connection', async () => {
    using files = new PairFolder(pair);
    await using server = await startServerProcess({ ...models, ...files.environment });
    const socket = connectSecurely({ port: server.port, host: '127.0.0.1', ca: pair.cert });
    await once(socket, 'secureConnect');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.write('POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n');
    await askHttps(`${server.url}/health/live`);
    server.child.kill('SIGTERM');
    await waitForLine(server, '"msg":"stopping"');
    socket.write('Content-Length: 7\r\n\r\n{"x":1}');
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  test('cuts a connection with an unfinished handshake after SHUTDOWN_TIMEOUT_MS', async () => {
    using files = new PairFolder(pair);
    await using server = await startServerProcess({
      ...models,
      ...files.environment,
      SHUTDOWN_TIMEOUT_MS: '300',
    });
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(Buffer.from('160301', 'hex'));
    await askHttps(`${server.url}/health/live`);
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stdout.at(-1)).toContain('"msg":"stopped"');
  });
});

describe.skipIf(noCertificates)('an unusable certificate', () => {
  const pair = createPair('alone');

  test.each<[string, (files: PairFolder) => Record<string, string>, RegExp[]]>([
    [
      'a certificate without a key',
      ({ certFile }) => ({ TLS_CERT_FILE: certFile }),
      [/^sardonyx: TLS_KEY_FILE: is missing, and TLS_CERT_FILE needs it$/],
    ],
    [
      'a key without a certificate',
      ({ keyFile }) => ({ TLS_KEY_FILE: keyFile }),
      [/^sardonyx: TLS_CERT_FILE: is missing, and TLS_KEY_FILE needs it$/],
    ],
    [
      'missing files',
      () => ({ TLS_CERT_FILE: '/nowhere/a', TLS_KEY_FILE: '/nowhere/b' }),
      [
        /^sardonyx: TLS_CERT_FILE: \/nowhere\/a: the file is not there$/,
        /^sardonyx: TLS_KEY_FILE: \/nowhere\/b: the file is not there$/,
      ],
    ],
    [
      'a device, which never ends',
      ({ certFile }) => ({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: '/dev/zero' }),
      [/^sardonyx: TLS_KEY_FILE: \/dev\/zero: the file is not a regular file$/],
    ],
    [
      'the wrong key, with two workers',
      ({ environment, keyFile }) => {
        writeFileSync(keyFile, createPair('other').key);
        return { ...environment, WORKERS: '2' };
      },
      [/^sardonyx: TLS_KEY_FILE: the key in \S+ does not fit the first certificate in \S+$/],
    ],
  ])('writes a line for each problem and exits with 1: %s', async (_what, prepare, lines) => {
    using files = new PairFolder(pair);
    const { code, stderr } = await runServerToItsEnd({ ...models, ...prepare(files) });
    expect(stderr).toEqual(lines.map((line) => expect.stringMatching(line)));
    expect(code).toBe(1);
  });

  test('that has only expired is used, with a warning', async () => {
    using files = new PairFolder(moveDates(pair, '200101', '210101'));
    await using server = await startServerProcess({ ...models, ...files.environment });
    expect((await askHttps(`${server.url}/health/live`)).status).toBe(200);
    expect(complaints(server, /"level":40/)).toEqual([
      expect.stringContaining('the certificate has expired'),
    ]);
  });
});
