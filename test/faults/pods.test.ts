import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createCachedSamples } from '../helpers/cached-samples.js';
import { findFreePort } from '../helpers/free-port.js';
import { secretOf, withKey } from '../helpers/keys.js';
import { provideRedisProgram } from '../helpers/redis-program.js';
import { parseObjects, provideKustomize, render } from '../k8s/kustomize.js';
import { type Container, settingsOf } from '../k8s/objects.js';
import { canRunPods, Pod } from '../k8s/pod.js';
import { askFor, predict, probe, startPod, surroundings } from '../k8s/running-pod.js';
import { faultWithoutServer } from './instruments/fault.js';

const kustomize = provideKustomize();
const missing =
  kustomize.missing ?? (canRunPods ? undefined : 'needs root and the right to create mount namespaces');
if (kustomize.missing !== undefined || missing !== undefined) {
  test.skip(`P03 the pods of k8s/ run under their restrictions: ${missing}`, () => undefined);
} else {
  const { command } = kustomize;
  const production = parseObjects(render(command, 'k8s/overlays/production'));

  faultWithoutServer(
    'P03',
    'the pod of production runs as uid 1000, without capabilities, on a read-only root',
    async () => {
      await using running = await startPod(production, surroundings);
      const { pid, port } = running;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const fact = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
      expect(fact('Uid')).toBe('1000\t1000\t1000\t1000');
      expect(fact('Gid')).toBe('1000\t1000\t1000\t1000');
      expect([fact('CapEff'), fact('CapPrm'), fact('CapBnd')]).toEqual(Array(3).fill('0000000000000000'));
      expect(fact('NoNewPrivs')).toBe('1');
      // Runs as root in the mounts of the pod: if root cannot write, the server cannot either.
      const inPod = (line: string) =>
        execFileSync('nsenter', ['-t', String(pid), '-m', '-r', '-w', 'sh', '-c', line], {
          encoding: 'utf8',
        }).trim();
      expect(
        inPod(
          'for place in / /app /models /etc/sardonyx /usr; do touch $place/x 2>/dev/null && echo $place; done; true',
        ),
      ).toBe('');
      expect(inPod('stat -c "%u:%g %a" -L /etc/sardonyx/keys.json')).toBe('0:1000 440');
      expect(inPod('touch /tmp/x && rm /tmp/x && echo ok')).toBe('ok');

      const answer = await predict(port, withKey('client'));
      expect(answer.status, answer.text).toBe(200);
      expect((await predict(port, {})).status).toBe(401);
      // A ServiceMonitor sends its key in this form.
      const scrape = (headers: Record<string, string>) =>
        fetch(`http://127.0.0.1:${port}/metrics`, { headers });
      expect((await scrape({ authorization: `Bearer ${secretOf('prometheus')}` })).status).toBe(200);
      expect((await scrape({})).status).toBe(401);
      expect(running.lines.filter((line) => /"level":"?(error|fatal|warn|40|50|60)/.test(line))).toEqual([]);
      return 'findings 0: uid 1000, capabilities 0, writable: only /tmp';
    },
  );

  faultWithoutServer('S04', 'the pod of dev answers without a key, and needs no Secret', async () => {
    const objects = parseObjects(render(command, 'k8s/overlays/dev'));
    await using running = await startPod(objects, { ...surroundings, secrets: {} });
    expect((await predict(running.port, {})).status).toBe(200);
    expect((await askFor(running.port, '/metrics')).status).toBe(200);
    return 'answers without a key';
  });

  faultWithoutServer(
    'S03',
    'a pod of production that is deleted under load answers all requests until its endpoints are removed',
    async () => {
      await using running = await startPod(production, surroundings);
      const { pod, port, pid, ended } = running;
      const { preStop } = (pod.spec.containers[0] as Container)['lifecycle'];
      const delayMs = Number(settingsOf(production)['SHUTDOWN_DELAY_MS']);
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      const statuses: Record<string, number> = {};
      let isRouted = true;
      const asking = Array.from({ length: 8 }, async () => {
        while (isRouted) {
          const { status, text } = await predict(port, withKey('client'), agent);
          statuses[status || text] = (statuses[status || text] ?? 0) + 1;
        }
      });
      // The steps of a kubelet for a deleted pod.
      const deleted = performance.now();
      await pause(preStop.sleep.seconds * 1_000);
      expect(await probe(port, '/health/ready')).toBe(200);
      process.kill(pid, 'SIGTERM');
      await pause(500);
      expect(await probe(port, '/health/ready')).toBe(503);
      expect(await probe(port, '/health/live')).toBe(200);
      // Requests stop one second before the listener closes, as from the slowest proxy.
      await pause(delayMs - 1_500);
      isRouted = false;
      await Promise.all(asking);
      agent.destroy();
      const { code } = await ended;
      const seconds = (performance.now() - deleted) / 1_000;
      const { 200: ok = 0, ...others } = statuses;
      expect(others).toEqual({});
      expect(ok).toBeGreaterThan(1_000);
      expect(code).toBe(0);
      expect(seconds).toBeLessThan(pod.spec.terminationGracePeriodSeconds);
      return `failed 0 of ${ok}; exit 0 after ${seconds.toFixed(1)} s (grace period ${pod.spec.terminationGracePeriodSeconds})`;
    },
  );

  faultWithoutServer(
    'S04',
    'the pods of with-redis connect, and only with the password of the Secret',
    async () => {
      provideRedisProgram();
      const port = await findFreePort();
      // Only the port of Redis is changed, since 6379 may be taken on this machine.
      const text = render(command, 'k8s/overlays/with-redis').replaceAll(
        '$(REDIS_HOST):6379',
        `$(REDIS_HOST):${port}`,
      );
      expect(text).toContain(`:$(REDIS_PASSWORD)@$(REDIS_HOST):${port}`);
      const objects = parseObjects(text);
      const password = '0123456789abcdef';
      using samples = createCachedSamples();
      const given = {
        ...surroundings,
        imageFolders: { 'sardonyx-models:1': { '/models': samples.path } },
        claims: { 'sardonyx-models': samples.path },
        secrets: { ...surroundings.secrets, 'sardonyx-redis': { password } },
        hosts: ['sardonyx-redis'],
      };
      const args = ['--port', String(port), '--bind', '127.0.0.1'];
      using redis = new Pod(objects, { ...given, args }, 'sardonyx-redis');
      const child = await redis.start();
      try {
        await using running = await startPod(objects, given);
        const stateOf = async () => {
          const { redis } = JSON.parse((await askFor(running.port, '/health')).text);
          return redis.state;
        };
        for (let tries = 0; (await stateOf()) !== 'up' && tries < 100; tries += 1) await pause(50);
        expect(await stateOf()).toBe('up');
        const cacheOf = async () => (await predict(running.port, withKey('client'))).headers['x-cache'];
        expect([await cacheOf(), await cacheOf()]).toEqual(['miss', 'hit']);
        const { REDISCLI_AUTH: _, ...env } = process.env;
        const ask = (...words: string[]) =>
          execFileSync('redis-cli', ['-p', String(port), ...words], { encoding: 'utf8', env });
        expect(ask('dbsize')).toContain('NOAUTH');
        const config = ask('-a', password, '--no-auth-warning', 'config', 'get', 'maxmemory*');
        expect(config).toContain('volatile-ttl');
        expect(config).toContain(String(192 * 1_024 ** 2));
        return 'up, one miss, one hit; without the password NOAUTH';
      } finally {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
    },
  );
}
