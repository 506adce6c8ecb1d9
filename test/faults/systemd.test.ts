import { chmodSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ask } from '../helpers/ask.js';
import { findFreePort } from '../helpers/free-port.js';
import { externalData } from '../helpers/onnx-models.js';
import { type ReleasedPackage, releasePackage } from '../helpers/released-package.js';
import { bootSystemd, findWhyNoSystemd, type TestSystemd } from '../helpers/systemd.js';
import { faultWithoutServer } from './instruments/fault.js';
import { createPlainRegistry, features, plainGolden, plainPrediction } from './instruments/plain-registry.js';

const dropIns = '/etc/systemd/system/sardonyx.service.d';
const whyNot = findWhyNoSystemd();
if (whyNot === undefined) describeUnit();
else test.skip(`S04 the unit of systemd runs the server: ${whyNot}`, () => undefined);

function describeUnit(): void {
  const registry = createPlainRegistry({ slow: { timeoutMs: 30_000 } });
  const isolated = { executor: 'isolated' } as const;
  // External weights, whose private copy needs a folder for temporary files.
  registry.addVersion('weights', '1', {
    manifest: { task: 'regression', features, runtime: isolated },
    model: externalData('w.bin'),
    files: { 'w.bin': Buffer.from(new Float32Array([40]).buffer) },
  });
  chmodSync(registry.path, 0o755);

  let release: ReleasedPackage;
  let systemd: TestSystemd;
  let port: number;
  let url: string;
  beforeAll(async () => {
    release = releasePackage();
    port = await findFreePort();
    url = `http://127.0.0.1:${port}`;
    // The port in docs/systemd.md may be taken on this machine.
    const prepare = `
      cp ${release.file} root/
      mkdir -p srv/models ${dropIns.slice(1)}
      printf '[Service]\\nEnvironmentFile=/etc/test.env\\n' > ${dropIns.slice(1)}/port.conf
      printf 'PORT=${port}\\n' > etc/test.env
    `;
    systemd = await bootSystemd(prepare, { [registry.path]: '/srv/models' });
    // An install and a boot, possibly on a busy machine.
  }, 180_000);
  afterAll(async () => {
    await systemd?.[Symbol.asyncDispose]();
    release?.[Symbol.dispose]();
  });

  /** Restarts the unit with additional lines in its section [Service]. Throws if that fails. */
  const start = async (...lines: readonly string[]) => {
    const write = `printf '%s\\n' '[Service]' "$@" > ${dropIns}/test.conf`;
    await systemd.run('bash', '-c', write, 'bash', 'Environment=MODELS_DIR=/srv/models', ...lines);
    await systemd.run('systemctl', 'daemon-reload');
    const started = performance.now();
    await systemd.run('systemctl', 'restart', 'sardonyx');
    return performance.now() - started;
  };
  const show = async (...names: readonly string[]) => {
    const args = names.flatMap((name) => ['-p', name]);
    const text = await systemd.run('systemctl', 'show', ...args, 'sardonyx');
    return Object.fromEntries(text.split('\n').map((line) => line.split('=') as [string, string]));
  };
  const journal = () => systemd.run('journalctl', '-u', 'sardonyx', '-o', 'cat', '--no-pager');
  const stop = async () => {
    const started = performance.now();
    await systemd.run('systemctl', 'stop', 'sardonyx');
    return performance.now() - started;
  };

  faultWithoutServer(
    'S04',
    'the commands of docs/systemd.md install the server',
    async () => {
      const page = readFileSync('docs/systemd.md', 'utf8');
      const [install, keys, rollback] = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
        ([, text]) => text,
      );
      const started = performance.now();
      // The umask of root on a hardened machine.
      await systemd.run('bash', '-ec', `umask 077; cd /root\n${install}`);
      const seconds = (performance.now() - started) / 1_000;
      const loan = { age: 42, income: 51234.5, credit_score: 688 };
      expect((await ask(url, 'credit-risk', loan)).status).toBe(200);

      await systemd.run('bash', '-ec', `cd /root\n${rollback}`);
      expect((await ask(url, 'credit-risk', loan)).status).toBe(200);
      const key = (await systemd.run('bash', '-ec', `cd /root\n${keys}`)).trim();
      expect((await ask(url, 'credit-risk', loan)).status).toBe(401);
      const answer = await fetch(`${url}/models`, { headers: { 'x-api-key': key } });
      expect(answer.status).toBe(200);
      await systemd.run('sed', '-i', 's/^API_KEYS_FILE=.*/AUTH=off/', '/etc/sardonyx/sardonyx.env');
      await systemd.run('bash', '-c', 'echo RATE_LIMIT_MAX=0 >> /etc/sardonyx/sardonyx.env');
      return `installed in ${seconds.toFixed(1)} s`;
    },
    180_000,
  );

  faultWithoutServer(
    'S04',
    'the server runs under the restrictions of its unit, and no system call is refused',
    async () => {
      // A refused system call kills the process here; with the unit's own EPERM a refusal could stay unnoticed.
      const startMs = await start('SystemCallErrorNumber=kill', 'Environment=WORKERS=2');
      expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({ status: 'ready' });
      for (const [model, x, prediction] of [
        ['plain', plainGolden.body.x, plainPrediction],
        ['slow', 1, 1],
        ['weights', 2, 42],
      ] as const) {
        expect((await ask(url, model, { x })).body).toMatchObject({ prediction });
      }

      const body = '{"x":1}\n{"x":2}\n';
      const headers = { 'content-type': 'application/x-ndjson' };
      const accepted = await fetch(`${url}/models/plain/predict/batch`, { method: 'POST', headers, body });
      expect(accepted.status).toBe(202);
      const job = `${url}${accepted.headers.get('location')}`;
      await vi.waitFor(
        async () => expect(await (await fetch(job)).json()).toMatchObject({ completed_instances: 2 }),
        { timeout: 20_000, interval: 200 },
      );
      expect(await systemd.run('stat', '-c', '%U %a', '/var/lib/sardonyx/jobs')).toBe('sardonyx 700\n');
      expect(await systemd.run('stat', '-c', '%U %a', '/var/lib/sardonyx')).toBe('root 755\n');

      const { MainPID, StatusText } = await show('MainPID', 'StatusText');
      expect(StatusText).toBe(`Answers at http://localhost:${port}`);
      const status = await systemd.run('cat', `/proc/${MainPID}/status`);
      const user = (await systemd.run('id', '-u', 'sardonyx')).trim();
      expect(status).toMatch(new RegExp(`^Uid:\\t${user}\\t${user}\\t${user}\\t${user}$`, 'm'));
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);

      // Where the server's file system is read-only, even root cannot write.
      const folders = [
        '/opt',
        '/var/lib/sardonyx',
        '/var/lib/sardonyx/models',
        '/etc/sardonyx',
        '/usr',
        '/var/log',
        '/home',
      ];
      const tries = folders.map((folder) => `touch /proc/${MainPID}/root${folder}/mark && echo ${folder}`);
      expect(await systemd.run('bash', '-c', `{ ${tries.join('; ')}; } 2>/dev/null; true`)).toBe('');
      const temp = await systemd.run('bash', '-c', `ls /proc/${MainPID}/root/tmp`);
      expect(temp, 'private copies lie in the temporary folder of the unit').toMatch(/^sardonyx-\S+\n/);

      await systemd.run('systemctl', 'reload', 'sardonyx');
      expect((await ask(url, 'plain', { x: 1 })).status).toBe(200);
      expect(await journal()).toContain('"msg":"SIGHUP: the log file is reopened');
      await stop();
      expect(await show('Result', 'ExecMainStatus')).toMatchObject({
        Result: 'success',
        ExecMainStatus: '0',
      });
      return `ready ${Math.round(startMs)} ms after systemctl restart; system calls refused 0, folders written 0 of ${folders.length}`;
    },
  );

  faultWithoutServer('S01', 'systemctl stop lets requests finish, those in child processes too', async () => {
    await start();
    const timed = performance.now();
    await ask(url, 'slow', { x: 1_000 });
    // About a second on any machine, so that the request is in flight for certain.
    const x = Math.round(1_000_000 / (performance.now() - timed));
    let isOver = false;
    const statuses: number[] = [];
    const asking = Array.from({ length: 8 }, async () => {
      while (!isOver) statuses.push((await ask(url, 'plain', { x: 1 }).catch(() => ({ status: 0 }))).status);
    });
    let isAnswered = false;
    const long = ask(url, 'slow', { x }).finally(() => {
      isAnswered = true;
    });
    await pause(200);
    isOver = true;
    await Promise.all(asking);
    expect(isAnswered, 'the long request is in flight').toBe(false);
    const stopMs = await stop();
    expect((await long).status).toBe(200);
    expect(statuses.length).toBeGreaterThan(0);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(await show('Result', 'ExecMainStatus')).toMatchObject({ Result: 'success', ExecMainStatus: '0' });
    return `dropped 0 of ${statuses.length + 1}, stopped in ${Math.round(stopMs)} ms`;
  });

  faultWithoutServer('S04', 'a stopped journal delays no request and no stop', async () => {
    await start('Environment=LOG_LEVEL=debug');
    await systemd.run('systemctl', 'kill', '--signal=STOP', 'systemd-journald');
    let slowestMs = 0;
    // Some 250 bytes a line, in all more than the journal's socket holds.
    const asked = 3_000;
    try {
      for (let k = 0; k < asked; k += 1) {
        const before = performance.now();
        expect((await ask(url, 'plain', { x: k })).status).toBe(200);
        slowestMs = Math.max(slowestMs, performance.now() - before);
      }
      const stopMs = await stop();
      expect(slowestMs).toBeLessThan(1_000);
      expect(stopMs).toBeLessThan(5_000);
      return `slowest of ${asked} answers ${Math.round(slowestMs)} ms, stopped in ${Math.round(stopMs)} ms`;
    } finally {
      await systemd.run('systemctl', 'kill', '--signal=CONT', 'systemd-journald');
    }
  });

  faultWithoutServer('S04', 'an invalid setting fails the unit, and the journal has its line', async () => {
    const failed = start('RestartSec=100ms', 'EnvironmentFile=', 'Environment=PORT=nonsense');
    await expect(failed).rejects.toThrow('Job for sardonyx.service failed');
    let shown = await show('ActiveState', 'NRestarts');
    for (let tries = 0; tries < 100 && shown['ActiveState'] !== 'failed'; tries += 1) {
      await pause(100);
      shown = await show('ActiveState', 'NRestarts');
    }
    expect(shown).toMatchObject({ ActiveState: 'failed', NRestarts: '5' });
    const line = 'sardonyx: PORT: got "nonsense", takes a whole number from 0 to 65535';
    const lines = (await journal()).split('\n').filter((each) => each === line);
    expect(lines.length).toBeGreaterThanOrEqual(4);
    return `failed after ${lines.length} starts, each with its line`;
  });
}
