import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/log/logger.js';
import { reportReady } from '../../src/process/service-manager.js';

const folder = mkdtempSync(join(tmpdir(), 'sardonyx-notify-'));
afterAll(() => rmSync(folder, { recursive: true }));
const recorded = join(folder, 'recorded');
// Stands in for systemd-notify and records its arguments. `npm run faults` runs the real one.
writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > ${recorded}\n`, {
  mode: 0o755,
});

describe('the report to systemd', () => {
  test('says once that the server is ready, and at which URL', async () => {
    const logger = createLogger('silent');
    reportReady({ NOTIFY_SOCKET: '/run/notify', PATH: `${folder}:/bin` }, logger, 'http://127.0.0.1:8000');
    await expect
      .poll(() => readFileSync(recorded, 'utf8'))
      .toBe('/run/notify --ready --status=Answers at http://127.0.0.1:8000\n');
  });

  test('is not sent without NOTIFY_SOCKET', () => {
    const logger = { error: vi.fn() };
    expect(reportReady({ PATH: '/nowhere' }, logger as never, '')).toBeUndefined();
    expect(logger.error).not.toHaveBeenCalled();
  });

  test('logs an error and throws nothing if it cannot be sent', async () => {
    const logger = { error: vi.fn() };
    reportReady({ NOTIFY_SOCKET: '/run/notify', PATH: '/nowhere' }, logger as never, '');
    await expect.poll(() => logger.error.mock.calls.length).toBe(1);
    expect(logger.error.mock.calls[0]?.[0].reason).toContain('ENOENT');
  });
});
