import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { BullJobStore } from '../../src/jobs/bullmq/bull-job-store.js';
import { readRedisAddress } from '../../src/redis/connection/redis-address.js';
import { echo, expectedResults, readAll, silentEvents, submit, waitForEnd } from '../contracts/job-store.js';
import { buildTestApp } from '../helpers/app.js';
import { createPair, noCertificates } from '../helpers/certificates.js';
import { findFreePort } from '../helpers/free-port.js';
import { startRedis } from '../helpers/redis.js';
import { createTestLink } from '../helpers/redis-link.js';
import { runServerToItsEnd } from '../helpers/server-process.js';

const folder = mkdtempSync(join(tmpdir(), 'sardonyx-redis-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const patient = 2_000;

/** Writes a certificate and its key, and returns their paths. */
function writePair(name: string) {
  const pair = createPair(name);
  const [certFile, keyFile] = [file(`${name}.crt`), file(`${name}.key`)];
  writeFileSync(certFile, pair.cert);
  writeFileSync(keyFile, pair.key);
  return { certFile, keyFile, pair };
}

/** A Redis with only TLS. It accepts clients with a certificate in `clientsFile`; without that file, all clients. */
async function startSecureRedis(server: ReturnType<typeof writePair>, clientsFile?: string) {
  const port = await findFreePort();
  const clients = clientsFile === undefined ? 'no' : 'yes';
  const redis = await startRedis({
    port,
    settings: [
      ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', clients],
      ...['--tls-cert-file', server.certFile, '--tls-key-file', server.keyFile],
      ...['--tls-ca-cert-file', clientsFile ?? server.certFile],
    ],
  });
  return { ...redis, url: `rediss://127.0.0.1:${port}`, [Symbol.asyncDispose]: redis.stop };
}

describe.skipIf(noCertificates !== undefined)('a Redis with TLS', () => {
  test('that requires client certificates keeps batch jobs, and the queue for them', async () => {
    const server = writePair('jobs-server');
    const client = writePair('jobs-client');
    await using redis = await startSecureRedis(server, client.certFile);
    const tlsFiles = { caFile: server.certFile, certFile: client.certFile, keyFile: client.keyFile };
    const store = new BullJobStore({
      address: { address: readRedisAddress(redis.url), tlsFiles },
      maxOpenJobs: 10,
      keepMs: 60_000,
      maxRedisBytes: 1_048_576,
      events: silentEvents,
    });
    try {
      store.work(echo);
      const job = await waitForEnd(store, await submit(store, { rows: 40, chunkRows: 1 }));
      expect(await readAll(store, job)).toEqual(expectedResults(40));
    } finally {
      await store.close();
      await store.disconnect();
    }
  });

  test('that requires client certificates gets one, and a renewed one at the next connect', async () => {
    const server = writePair('server');
    const client = writePair('client');
    const renewed = createPair('renewed');
    const clients = file('clients.crt');
    writeFileSync(clients, client.pair.cert + renewed.cert);
    await using redis = await startSecureRedis(server, clients);
    const tlsFiles = { caFile: server.certFile, certFile: client.certFile, keyFile: client.keyFile };
    await using test = createTestLink(redis.url, 'test:', patient, { tlsFiles });
    await test.become('up');
    const operator = new Redis(redis.url, {
      tls: { ca: server.pair.cert, cert: client.pair.cert, key: client.pair.key },
    });
    // Redis rejects the old certificate now, so the client must read the new one.
    writeFileSync(clients, renewed.cert);
    await operator.config('SET', 'tls-ca-cert-file', clients);
    writeFileSync(client.certFile, renewed.cert);
    writeFileSync(client.keyFile, renewed.key);
    await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const write = () => test.link.ask('cache', (commands) => commands.set('test:a', 'b', 'PX', 1_000));
    await vi.waitUntil(async () => (await write()) === 'OK', { timeout: 5_000, interval: 20 });
    operator.disconnect();
  });

  test('that requires client certificates and gets none is down for that reason', async () => {
    const server = writePair('server');
    await using redis = await startSecureRedis(server, writePair('client').certFile);
    await using test = createTestLink(redis.url, 'test:', patient, { tlsFiles: { caFile: server.certFile } });
    expect(await test.become('down')).toMatchObject({
      reason: 'it requires a client certificate: REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE',
    });
  });

  test('with a certificate of unknown authority is not trusted', async () => {
    const server = writePair('server');
    await using redis = await startSecureRedis(server);
    await using test = createTestLink(redis.url, 'test:', patient);
    expect(await test.become('down')).toMatchObject({
      reason:
        'its certificate or its TLS is not accepted: set REDIS_TLS_CA_FILE for an authority of your own',
    });
  });

  test('stays up after a file was removed, is down while one is damaged, and is up again when it is repaired', async () => {
    const server = writePair('server');
    const client = writePair('client');
    await using redis = await startSecureRedis(server, client.certFile);
    const tlsFiles = { caFile: server.certFile, certFile: client.certFile, keyFile: client.keyFile };
    await using test = createTestLink(redis.url, 'test:', patient, { tlsFiles });
    await test.become('up');
    const operator = new Redis(redis.url, {
      tls: { ca: server.pair.cert, cert: client.pair.cert, key: client.pair.key },
    });
    const kill = () => operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    rmSync(client.keyFile);
    await kill();
    await test.become('up', 5_000);
    writeFileSync(client.keyFile, 'no key');
    await kill();
    await test.become('down', 5_000);
    writeFileSync(client.keyFile, client.pair.key);
    await test.become('up', 5_000);
    operator.disconnect();
  });

  test('is up for a server with the three TLS settings', async () => {
    const server = writePair('server');
    const client = writePair('client');
    await using redis = await startSecureRedis(server, client.certFile);
    await using app = await buildTestApp({
      REDIS_URL: redis.url,
      REDIS_TIMEOUT_MS: '2000',
      REDIS_TLS_CA_FILE: server.certFile,
      REDIS_TLS_CERT_FILE: client.certFile,
      REDIS_TLS_KEY_FILE: client.keyFile,
    });
    await expect
      .poll(async () => (await app.get('/health')).body, { timeout: 5_000 })
      .toMatchObject({
        redis: { state: 'up' },
      });
  });
});

test.each([
  [
    { REDIS_URL: 'rediss://a', REDIS_TLS_CERT_FILE: 'x' },
    ['REDIS_TLS_KEY_FILE: is missing, and REDIS_TLS_CERT_FILE needs it'],
  ],
  [
    { REDIS_URL: 'redis://a', REDIS_TLS_CA_FILE: 'package.json' },
    ['REDIS_TLS_CA_FILE: needs a REDIS_URL that begins with rediss'],
  ],
  [
    { REDIS_URL: 'rediss://a', REDIS_TLS_CA_FILE: '/absent/ca.pem' },
    ["REDIS_TLS_CA_FILE: cannot be read: ENOENT: no such file or directory, open '/absent/ca.pem'"],
  ],
  [
    { REDIS_URL: 'redis://a', REDIS_SENTINEL_PASSWORD: 'canary' },
    ['REDIS_SENTINEL_PASSWORD: needs a REDIS_URL that begins with redis+sentinel:// or rediss+sentinel://'],
  ],
  [
    { REDIS_URL: 'redis+sentinel://me:canary@a,b' },
    [
      'REDIS_URL: takes the name of the master after the hosts: redis+sentinel://user:password@host1:26379,host2:26379/master/0',
    ],
  ],
  [
    { REDIS_URL: 'redis+cluster://me:canary@a,b/3' },
    ['REDIS_URL: takes no database for a cluster, which has only database 0'],
  ],
  [
    { REDIS_URL: 'sentinel://me:canary@a,b/mymaster' },
    [
      'REDIS_URL: got "sentinel://…@a,b/mymaster", takes a redis:// or rediss:// address, of Sentinels (redis+sentinel://) or a cluster (redis+cluster://)',
    ],
  ],
])('a server does not start with %j, and one line gives the reason', async (environment, lines) => {
  const { code, stderr } = await runServerToItsEnd(environment as Record<string, string>);
  expect(code).toBe(1);
  expect(stderr).toEqual(lines.map((line) => `sardonyx: ${line}`));
});
