import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createPair, noCertificates, PairFolder } from '../helpers/certificates.js';
import { findFreePort } from '../helpers/free-port.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';

/** Runs the health check of the image with the settings of a server. */
function check(environment: Record<string, string>, ...args: string[]) {
  const { status, stdout } = spawnSync(process.execPath, ['dist/healthcheck.js', ...args], {
    encoding: 'utf8',
    env: { ENV_FILE: '/dev/null', ...environment },
  });
  return { status, stdout: stdout.trim() };
}

test('the health check passes for a live server, and with "ready" for a ready server', async () => {
  await using server = await startServerProcess();
  const environment = { PORT: String(server.port) };
  expect(check(environment)).toEqual({ status: 0, stdout: '200 {"status":"ok"}' });
  expect(check(environment, 'ready')).toEqual({ status: 0, stdout: '200 {"status":"ready"}' });
  expect(check({ ...environment, HOST: '0.0.0.0' }).status).toBe(0);
});

test('the health check fails for a server that is not ready, without a server, and for a wrong setting', async () => {
  using registry = createRegistryFolder();
  await using server = await startServerProcess({ MODELS_DIR: registry.path });
  const environment = { PORT: String(server.port) };
  expect(check(environment).status).toBe(0);
  expect(check(environment, 'ready')).toEqual({
    status: 1,
    stdout: expect.stringMatching(/^503 .*not_ready/),
  });
  const refused = check({ PORT: String(await findFreePort()) });
  expect(refused).toEqual({ status: 1, stdout: expect.stringContaining('ECONNREFUSED') });
  expect(check({ PORT: 'x' })).toEqual({ status: 1, stdout: expect.stringContaining('PORT: got "x"') });
});

test.skipIf(noCertificates)(
  `the health check uses TLS for a server with a certificate${noCertificates ?? ''}`,
  async () => {
    using pair = new PairFolder(createPair('models.example'));
    await using server = await startServerProcess(pair.environment);
    const environment = { PORT: String(server.port), ...pair.environment };
    expect(check(environment)).toEqual({ status: 0, stdout: '200 {"status":"ok"}' });
  },
);
