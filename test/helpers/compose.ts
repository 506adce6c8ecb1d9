import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { podman, run } from './containers.js';
import { findFreePort } from './free-port.js';

const version = '1.6.0';

/** The path of podman-compose, which is installed once into the temp folder. */
function provideCompose(): string {
  const folder = join(tmpdir(), `sardonyx-podman-compose-${version}`);
  const program = join(folder, 'bin/podman-compose');
  if (!existsSync(program)) {
    run('python3', ['-m', 'venv', folder]);
    run(join(folder, 'bin/pip'), ['install', '--quiet', `podman-compose==${version}`]);
  }
  return program;
}

/** Builds the images of the file from Debian's packages under the same names, except Grafana's. */
export function buildStandIns(): void {
  const names = [
    'docker.io/library/nginx:1.30',
    'docker.io/library/redis:8.0',
    'docker.io/prom/prometheus:v3.5.3',
  ];
  const isThere = (name: string) => {
    try {
      podman('image', 'exists', name);
      return true;
    } catch {
      return false;
    }
  };
  if (!names.every(isThere)) run('scripts/image/stand-ins.sh', []);
}

export interface Compose extends AsyncDisposable {
  /** The port of nginx. */
  readonly port: number;
  readonly prometheusPort: number;
  /** The names of the containers of the servers. */
  readonly servers: readonly string[];
  /** Resolves once the health check of a container passes. */
  waitForHealth(container: string): Promise<void>;
  /** The lines of nginx's access log so far. */
  accessLines(): readonly string[];
}

/** Starts docker-compose.yml with podman: unchanged, except that Grafana is left out and the ports differ. */
export async function startCompose(imageVersion: string): Promise<Compose> {
  const program = provideCompose();
  const port = await findFreePort();
  const prometheusPort = await findFreePort();
  const environment = {
    SARDONYX_VERSION: imageVersion,
    SARDONYX_PORT: String(port),
    PROMETHEUS_PORT: String(prometheusPort),
    // Higher than the number of requests of any test: all come from one address.
    RATE_LIMIT_MAX: '1000000',
  };
  const compose = (...args: readonly string[]) =>
    run(
      'scripts/image/engine.sh',
      [program, '--in-pod', 'false', '--podman-run-args=--pull=never', ...args],
      environment,
    );
  const waitForHealth = async (container: string) => {
    let problem: unknown;
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        // Without systemd, podman runs no health checks by itself.
        podman('healthcheck', 'run', container);
        return;
      } catch (error) {
        problem = error;
        await pause(200);
      }
    }
    throw problem;
  };
  const down = () => compose('down', '--volumes', '--timeout', '5');
  const servers = [1, 2, 3].map((k) => `sardonyx_sardonyx_${k}`);
  try {
    // In the order of depends_on: podman-compose would wait for health checks that podman does not run.
    for (const [service, containers] of [
      ['redis', ['sardonyx_redis_1']],
      ['sardonyx', servers],
      ['nginx', ['sardonyx_nginx_1']],
      ['prometheus', ['sardonyx_prometheus_1']],
    ] as const) {
      compose('up', '--detach', '--no-deps', service);
      for (const container of containers) await waitForHealth(container);
    }
  } catch (error) {
    down();
    throw error;
  }
  return {
    port,
    prometheusPort,
    servers,
    waitForHealth,
    accessLines: () => podman('logs', 'sardonyx_nginx_1').split('\n').filter(Boolean),
    async [Symbol.asyncDispose]() {
      down();
    },
  };
}
