export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export type RedisTopology =
  | { readonly kind: 'server'; readonly node: RedisNode }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly RedisNode[]; readonly master: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] };

export interface RedisAddress {
  readonly topology: RedisTopology;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly isSecure: boolean;
}

/** A scheme, a login up to the last "@", hosts, and a path. */
const form = /^(rediss?)(?:\+(?:sentinel|cluster))?:\/\/(?:(.*)@)?([^@/?#]+)(?:\/([^@]*))?$/s;
const forms = {
  server: 'redis://user:password@host:6379/0, or rediss:// for TLS',
  sentinel: 'redis+sentinel://user:password@host1:26379,host2:26379/master/0',
  cluster: 'redis+cluster://user:password@host1:6379,host2:6379',
} as const;

/** Throws an error that names the problem but never repeats the address, which may hold a password. */
export function readRedisAddress(text: string): RedisAddress {
  // ioredis would read a query or a fragment as options of its own.
  if (/[?#]/.test(text.slice(text.lastIndexOf('@')))) throw new Error('takes an address without "?" and "#"');
  const kind = /^rediss?\+sentinel:/.test(text)
    ? 'sentinel'
    : /^rediss?\+cluster:/.test(text)
      ? 'cluster'
      : 'server';
  const example = forms[kind];
  const [, scheme = '', login = '', hosts = '', path = ''] = form.exec(text) ?? [];
  if (hosts === '') throw new Error(`takes an address such as ${example}`);
  const nodes = hosts.split(',').map((host) => readNode(host, kind, example));
  const [username, password] = readLogin(login);
  const common = { username, password, isSecure: scheme === 'rediss' };
  if (kind === 'sentinel') {
    const [, master = '', db = ''] = /^([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
    if (master === '') throw new Error(`takes the name of the master after the hosts: ${example}`);
    return { ...common, topology: { kind, sentinels: nodes, master: decode(master) }, db: readDatabase(db) };
  }
  const db = readDatabase(path);
  if (kind === 'cluster') {
    if (db !== 0) throw new Error('takes no database for a cluster, which has only database 0');
    return { ...common, topology: { kind, nodes }, db };
  }
  const [node] = nodes;
  if (node === undefined || nodes.length > 1) {
    throw new Error(`takes one host; several are ${forms.sentinel}, or ${forms.cluster}`);
  }
  return { ...common, topology: { kind: 'server', node }, db };
}

function readNode(text: string, kind: string, example: string): RedisNode {
  const url = URL.canParse(`redis://${text}`) ? new URL(`redis://${text}`) : undefined;
  if (url === undefined || url.hostname === '') throw new Error(`takes an address such as ${example}`);
  const standard = kind === 'sentinel' ? 26_379 : 6_379;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? standard : Number(url.port),
  };
}

function readLogin(login: string): readonly [string | undefined, string | undefined] {
  const at = login.indexOf(':');
  const [username, password] = at < 0 ? [login, ''] : [login.slice(0, at), login.slice(at + 1)];
  return [decode(username) || undefined, decode(password) || undefined];
}

function readDatabase(text: string): number {
  if (!/^\d{0,4}$/.test(text)) {
    throw new Error('takes a whole number for the database, after the last "/"');
  }
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('takes %25 for a "%" in the user, the password or the name of the master');
  }
}
