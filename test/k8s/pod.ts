import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { writeMountedVolume } from './mounted-volume.js';
import { type Container, findObject, type KubeObject, type Mount, type PodSpec, podOf } from './objects.js';

/** Stands in for the cluster: everything lies on this machine. */
export interface PodSurroundings {
  /** By name, as `kubectl create secret generic` creates them. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Folders of this machine, by image and by path in the image. */
  readonly imageFolders?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Folders of this machine, by the claim that is bound to them. */
  readonly claims?: Readonly<Record<string, string>>;
  /** Variables that must differ on this machine, such as a port that may be taken. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Host names that resolve to this machine. */
  readonly hosts?: readonly string[];
  /** Further arguments of the containers. */
  readonly args?: readonly string[];
}

/** Whether this process may start another one with its own root folder, mounts and user. */
export const canRunPods =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/** The image of the server: the files that `dist/main.js` needs, in /app. */
const serverImage = {
  '/app/dist': 'dist',
  '/app/console': 'console',
  '/app/node_modules': 'node_modules',
  '/app/package.json': 'package.json',
};
const entrypoints: Readonly<Record<string, readonly string[]>> = { sardonyx: ['node', 'dist/main.js'] };

/**
 * Mounts the folders of a container and becomes its process, with the user and the rights of its security context. The
 * programs are those of this machine.
 */
const script = `
set -e
root=$1 mode=$2 user=$3; shift 3
mount -t tmpfs -o mode=755 none "$root"
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$root/$name"; done
mkdir "$root/usr" "$root/etc" "$root/proc" "$root/dev" "$root/app"
mount --rbind /usr "$root/usr"
for name in ld.so.cache nsswitch.conf passwd group ssl; do
  [ ! -d "/etc/$name" ] || mkdir "$root/etc/$name"
  [ -d "/etc/$name" ] || : > "$root/etc/$name"
  [ ! -e "/etc/$name" ] || mount --bind "/etc/$name" "$root/etc/$name"
done
mount --rbind /proc "$root/proc"; mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root\${2%/*}"; [ -e "$root$2" ] || : > "$root$2"; fi
  mount --rbind "$1" "$root$2"
  [ "$3" != ro ] || mount -o remount,bind,ro "$root$2"
  shift 3
done
shift
mount -o remount,bind,ro "$root/usr"
mount -o remount,"$mode" "$root"
exec chroot "$root" /usr/bin/setpriv $user sh -c 'cd "$1"; shift; exec "$@"' sh "$@"
`;

/** Runs a pod of a Deployment as a kubelet does, on the network of this machine. */
export class Pod implements Disposable {
  readonly spec: PodSpec;
  readonly #objects: readonly KubeObject[];
  readonly #given: PodSurroundings;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sardonyx-pod-'));

  constructor(objects: readonly KubeObject[], given: PodSurroundings, deployment = 'sardonyx') {
    this.#objects = objects;
    this.#given = given;
    this.spec = podOf(objects, deployment);
    for (const { name, ...source } of this.spec.volumes) this.#makeVolume(name, source);
    writeFileSync(
      join(this.#folder, 'hosts'),
      `127.0.0.1 ${['localhost', ...(given.hosts ?? [])].join(' ')}\n`,
    );
  }

  /** Runs all init containers, then starts the first container. Throws with the output of a failed init container. */
  async start(): Promise<ChildProcess> {
    for (const container of this.spec.initContainers ?? []) {
      const child = this.#run(container);
      let said = '';
      child.stderr?.on('data', (chunk) => {
        said += chunk;
      });
      const [code] = await once(child, 'close');
      if (code !== 0) throw new Error(`${container.name} ended with ${code}: ${said}`);
    }
    return this.#run(this.spec.containers[0] as Container);
  }

  #pathOf(name: string): string {
    return join(this.#folder, 'volumes', name);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #makeVolume(name: string, source: Readonly<Record<string, unknown>>): void {
    const path = this.#pathOf(name);
    mkdirSync(path, { recursive: true });
    const group = this.spec['securityContext'].fsGroup ?? 0;
    chownSync(path, 0, group);
    if (source['emptyDir']) chmodSync(path, 0o2777);
    const { secretName } = (source['secret'] ?? {}) as { secretName?: string };
    if (secretName !== undefined) writeMountedVolume(path, this.#secret(secretName), group);
  }

  /** The folder of a mount on this machine. */
  #sourceOf({ name, subPath = '' }: Mount): string {
    const volume = this.spec.volumes.find((it) => it.name === name) as {
      persistentVolumeClaim?: { claimName: string };
      image?: { reference: string };
    };
    if (volume.persistentVolumeClaim)
      return this.#given.claims?.[volume.persistentVolumeClaim.claimName] ?? '';
    if (volume.image) return this.#given.imageFolders?.[volume.image.reference]?.[`/${subPath}`] ?? '';
    return this.#pathOf(name);
  }

  #secret(name: string): Readonly<Record<string, string>> {
    const found = this.#given.secrets?.[name];
    if (found === undefined) throw new Error(`secret "${name}" not found`);
    return found;
  }

  #environmentOf({ env = [], envFrom = [] }: Container): Record<string, string> {
    const environment: Record<string, string> = { PATH: process.env['PATH'] ?? '' };
    for (const { configMapRef, secretRef } of envFrom) {
      if (configMapRef)
        Object.assign(environment, findObject(this.#objects, 'ConfigMap', configMapRef.name).data);
      if (secretRef) Object.assign(environment, this.#secret(secretRef.name));
    }
    for (const { name, value = '', valueFrom } of env) {
      const { secretKeyRef } = (valueFrom ?? {}) as { secretKeyRef?: { name: string; key: string } };
      environment[name] = secretKeyRef
        ? (this.#secret(secretKeyRef.name)[secretKeyRef.key] as string)
        : expand(value, environment);
    }
    return Object.assign(environment, this.#given.environment);
  }

  #run(container: Container): ChildProcess {
    const { runAsUser, runAsGroup, fsGroup } = this.spec['securityContext'];
    const [image = ''] = container.image.split(':');
    const folders = {
      ...(image === 'sardonyx' && serverImage),
      ...this.#given.imageFolders?.[container.image],
    };
    const mounts = [
      ...Object.entries(folders).flatMap(([place, path]) =>
        place === '/' ? [] : [resolve(path), place, 'ro'],
      ),
      ...[join(this.#folder, 'hosts'), '/etc/hosts', 'ro'],
      ...(container.volumeMounts ?? []).flatMap((mount) => [
        resolve(this.#sourceOf(mount)),
        mount.mountPath,
        mount.readOnly ? 'ro' : 'rw',
      ]),
    ];
    const root = mkdtempSync(join(this.#folder, 'root-'));
    const env = this.#environmentOf(container);
    const command = [
      ...(container.command ?? entrypoints[image] ?? []),
      ...[...(container.args ?? []), ...(this.#given.args ?? [])].map((text) => expand(text, env)),
    ];
    const { readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = container['securityContext'];
    const user = [
      ...[`--reuid=${runAsUser}`, `--regid=${runAsGroup}`, `--groups=${fsGroup ?? runAsGroup}`],
      ...(allowPrivilegeEscalation ? [] : ['--no-new-privs']),
      ...(capabilities.drop.includes('ALL') ? ['--inh-caps=-all', '--bounding-set=-all'] : []),
    ].join(' ');
    const mode = readOnlyRootFilesystem ? 'ro' : 'rw';
    const args = [root, mode, user, ...mounts, '--', '/app', ...command];
    return spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

/** Replaces `$(NAME)` as Kubernetes does: an unknown name stays as it is. */
function expand(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(/\$\((\w+)\)/g, (whole, name) => environment[name] ?? whole);
}
