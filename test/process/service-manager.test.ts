import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/log/logger.js';
import { reportReady } from '../../src/process/service-manager.js';

const folder = mkdtempSync(join(tmpdir(), 'sardonyx-notify-'));
afterAll(() => rmSync(folder, { recursive: true }));
const said = join(folder, 'said');
// In the place of systemd's own, which npm run faults asks: it writes down what it is given.
writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > ${said}\n`, {
  mode: 0o755,
});

describe('what starts the server as a service', () => {
  test('is told once that it is ready, and where', async () => {
    const logger = createLogger('silent');
    reportReady({ NOTIFY_SOCKET: '/run/notify', PATH: `${folder}:/bin` }, logger, 'http://127.0.0.1:8000');
    await expect
      .poll(() => readFileSync(said, 'utf8'))
      .toBe('/run/notify --ready --status=Answers at http://127.0.0.1:8000\n');
  });

  test('is not looked for where there is none', () => {
    const logger = { error: vi.fn() };
    expect(reportReady({ PATH: '/nowhere' }, logger as never, '')).toBeUndefined();
    expect(logger.error).not.toHaveBeenCalled();
  });

  test('that cannot be told is an error in the log, and no end', async () => {
    const logger = { error: vi.fn() };
    reportReady({ NOTIFY_SOCKET: '/run/notify', PATH: '/nowhere' }, logger as never, '');
    await expect.poll(() => logger.error.mock.calls.length).toBe(1);
    expect(logger.error.mock.calls[0]?.[0].reason).toContain('ENOENT');
  });
});
