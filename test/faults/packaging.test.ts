import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { faultWithoutServer } from './instruments/fault.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';

/** System calls that connect or send, and those that change files. */
const traced =
  'connect,sendto,sendmsg,sendmmsg,openat,creat,mkdir,mkdirat,unlink,rename,renameat2,link,symlink';

if (spawnSync('strace', ['-V']).status === 0) {
  faultWithoutServer(
    'P01',
    'the server connects to nothing and writes nothing, from its start to its end',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sardonyx-quiet-'));
      const [home, temp, cwd] = ['home', 'temp', 'cwd'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      for (const path of [home, temp, cwd]) mkdirSync(path);
      const log = join(folder, 'trace');
      const server = [process.execPath, join(process.cwd(), 'dist/main.js')];
      const child = spawn('strace', ['-f', '-e', `trace=${traced}`, '-o', log, ...server], {
        cwd,
        env: { PORT: '0', HOME: home, TMPDIR: temp, MODELS_DIR: join(process.cwd(), 'models') },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const ended = once(child, 'close');
      const port = await findPort(child.stdout);
      for (let k = 0; k < 20; k += 1) {
        const headers = { 'content-type': 'application/json' };
        const init = { method: 'POST', headers, body: loan };
        expect((await fetch(`http://127.0.0.1:${port}/predict`, init)).status).toBe(200);
      }
      for (const path of ['/metrics', '/docs', '/openapi.json', '/models', '/health', '/nope']) {
        await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
      }
      // Signals the server itself, since strace would only detach from it.
      const serverPid = Number(/^\d+/.exec(readFileSync(log, 'utf8'))?.[0]);
      process.kill(serverPid, 'SIGTERM');
      await ended;

      const lines = readFileSync(log, 'utf8').split('\n');
      const calls = lines.filter((line) => !line.includes('resumed>') && !line.includes('/dev/null'));
      const connects = calls.filter((line) => /\b(connect|sendto|sendmsg|sendmmsg)\(.*AF_INET/.test(line));
      // An isolated version has its private copy in the temporary folder until the end.
      const writes = calls.filter(
        (line) =>
          !line.includes(`"${temp}/`) &&
          // A setting of the kernel: a child asks to be killed first when memory runs out.
          !line.includes('"/proc/self/oom_score_adj"') &&
          // The server reopens standard output and error with O_NONBLOCK, so that no write waits for a reader.
          !/"\/proc\/self\/fd\/[12]", O_WRONLY\|O_NOCTTY\|O_NONBLOCK/.test(line) &&
          (/\b(creat|mkdir|mkdirat|unlink|rename|renameat2|link|symlink)\(/.test(line) ||
            (/openat\(/.test(line) && /O_WRONLY|O_RDWR|O_CREAT/.test(line))),
      );
      const left = [home, temp, cwd].flatMap((path) =>
        readdirSync(path, { recursive: true, encoding: 'utf8' }),
      );
      rmSync(folder, { recursive: true });
      expect(lines.length).toBeGreaterThan(100);
      expect(connects).toEqual([]);
      expect(writes).toEqual([]);
      expect(left).toEqual([]);
      return `connects ${connects.length}, writes ${writes.length} in ${lines.length} system calls`;
    },
  );
} else test.skip('P01 the server connects to nothing and writes nothing: needs strace', () => undefined);

faultWithoutServer('P01', 'the telemetry of the engine is off before its first session', async () => {
  const probe = `
    const { binding } = await import('onnxruntime-node/dist/binding.js');
    const { openSession } = await import(process.cwd() + '/dist/inference/engine/session.js');
    if (process.env.ORT_DISABLE_TELEMETRY !== '1') throw new Error('telemetry is on');
    if (typeof openSession !== 'function' || binding === undefined) throw new Error('no engine');
  `;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
    env: {},
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return 'off once the module is loaded';
});

/** Resolves with the port of the server once its models are loaded. */
async function findPort(output: NodeJS.ReadableStream): Promise<string> {
  let port = '';
  for await (const line of createInterface({ input: output })) {
    port ||= /listening at http:[^"]*:(\d+)/.exec(line)?.[1] ?? '';
    if (line.includes('"msg":"models loaded"')) return port;
  }
  throw new Error('the server ended');
}
