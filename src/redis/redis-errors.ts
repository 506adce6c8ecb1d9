import { OutOfStepError } from './out-of-step.js';

export interface Outage {
  readonly kind: 'away' | 'no-writes';
  /** Never text of Redis: its own message is in `error`. */
  readonly reason: string;
  /** The address may lead to another server by now, but only over a new connection. */
  readonly isElsewhere?: true;
}

export interface FaultReading {
  readonly fault: Outage;
  readonly error: unknown;
}

export type RedisFault =
  | Outage
  /** Only this command failed; another one may succeed. */
  | { readonly kind: 'command'; readonly code: string };

/** A refusal of one command, such as `WRONGTYPE` or an error in a script. `code` is the first word of the reply. */
export class RefusedByRedis extends Error {
  override readonly name = 'RefusedByRedis';
  readonly code: string;

  constructor(code: string, options?: ErrorOptions) {
    super(`Redis refused a command: ${code}`, options);
    this.code = code;
  }
}

export const noAnswerInTime: Outage = { kind: 'away', reason: 'it does not answer in time' };
export const connectionLost: Outage = { kind: 'away', reason: 'the connection was lost' };
const outOfStep: Outage = {
  kind: 'away',
  reason: 'its replies do not match the commands',
  isElsewhere: true,
};
export const refusesAll: Outage = { kind: 'away', reason: 'it refuses a needed command' };
const noNode: Outage = { kind: 'away', reason: 'no node of its cluster can be reached' };
/** A node replies MOVED only for keys of other nodes, so a probe may succeed by chance. */
export const isCluster: Outage = {
  kind: 'away',
  reason: 'it is a cluster: REDIS_URL must begin with redis+cluster://',
};

/**
 * After a failover behind one address or a Sentinel, the connection to the old master stays open. So reconnect after an
 * error of a server that is not a master or has lost the others (`isElsewhere`), but not after an error of a master: a
 * new connection would lead to the same server.
 */
const faultsByCode: Readonly<Record<string, Outage>> = {
  READONLY: { kind: 'no-writes', reason: 'it is a read-only replica', isElsewhere: true },
  // A master cut off from its replicas: one of them may be the new master.
  NOREPLICAS: { kind: 'no-writes', reason: 'it has too few replicas', isElsewhere: true },
  LOADING: { kind: 'away', reason: 'it is loading its data', isElsewhere: true },
  MASTERDOWN: { kind: 'away', reason: 'it is a replica that has lost its master', isElsewhere: true },
  CLUSTERDOWN: { kind: 'away', reason: 'its cluster is down', isElsewhere: true },
  // Reply to blocked clients of a master that becomes a replica.
  UNBLOCKED: { kind: 'away', reason: 'it has become a replica', isElsewhere: true },
  // A client logs in only at the start of a connection.
  NOAUTH: { kind: 'away', reason: 'it requires a password', isElsewhere: true },
  WRONGPASS: { kind: 'away', reason: 'the user or the password is wrong', isElsewhere: true },
  OOM: { kind: 'no-writes', reason: 'it is out of memory' },
  MISCONF: { kind: 'no-writes', reason: 'it cannot save to its disk' },
  BUSY: { kind: 'away', reason: 'it is busy with a script' },
  MOVED: isCluster,
  ASK: isCluster,
  TRYAGAIN: { kind: 'away', reason: 'its cluster is moving the requested keys' },
  CROSSSLOT: isCluster,
};

const faultsByText: readonly (readonly [RegExp, Outage])[] = [
  [/max number of clients/, { kind: 'away', reason: 'it has too many clients' }],
  [/invalid password|invalid username-password/, faultsByCode['WRONGPASS'] as Outage],
  [/DENIED Redis is running in protected mode/, { kind: 'away', reason: 'it accepts local clients only' }],
  [/DB index is out of range/, { kind: 'away', reason: 'it has no such database' }],
  [
    /SELECT is not allowed in cluster mode/,
    { kind: 'away', reason: 'it is a cluster, which has only database 0' },
  ],
  [
    /cluster support disabled/,
    { kind: 'away', reason: 'it is not a cluster: REDIS_URL must begin with redis://' },
  ],
];

const masterUnknown: Outage = { kind: 'away', reason: 'its Sentinels do not know the master' };
const faultsOfSentinels: readonly (readonly [RegExp, Outage])[] = [
  [/NOAUTH/, { kind: 'away', reason: 'its Sentinels require a password: REDIS_SENTINEL_PASSWORD' }],
  [
    /WRONGPASS|invalid password/,
    { kind: 'away', reason: 'its Sentinels do not accept REDIS_SENTINEL_PASSWORD' },
  ],
  [/No such master/, masterUnknown],
  [/Last error: /, { kind: 'away', reason: 'none of its Sentinels can be reached' }],
  [/./, masterUnknown],
];

const faultsBySystemCode: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name cannot be resolved',
  ETIMEDOUT: 'it cannot be reached in time',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
};

/** Classifies an error of Redis, its client, the system or TLS. */
export function readFault(error: unknown): RedisFault {
  if (!(error instanceof Error)) return connectionLost;
  if (error instanceof OutOfStepError) return outOfStep;
  const { name, message } = error;
  if (message.startsWith('All sentinels are unreachable'))
    return findByText(faultsOfSentinels, message) ?? refusesAll;
  if (name === 'ClusterAllFailedError') {
    // The error of the last node says more, unless it is a socket error, which ioredis hides.
    const fault = 'lastNodeError' in error ? readFault(error.lastNodeError) : connectionLost;
    return fault === connectionLost ? noNode : fault;
  }
  if (name === 'ReplyError' || /Last error: /.test(message)) return readReply(message);
  if (error instanceof TypeError || error instanceof RangeError) return { kind: 'command', code: name };
  const code = 'code' in error ? String(error.code) : '';
  if (/CERTIFICATE_REQUIRED|alert certificate required/.test(code + message)) {
    return {
      kind: 'away',
      reason: 'it requires a client certificate: REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE',
    };
  }
  if (/^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/.test(code)) {
    return {
      kind: 'away',
      reason:
        'its certificate or its TLS is not accepted: set REDIS_TLS_CA_FILE for an authority of your own',
    };
  }
  if (/^(ERR_SSL|ERR_TLS|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code)) {
    return { kind: 'away', reason: 'its certificate or its TLS is not accepted' };
  }
  if (/^Protocol error|Please report this/.test(message)) {
    return { kind: 'away', reason: 'the server at this address is not Redis' };
  }
  if (code === '') return connectionLost;
  return { kind: 'away', reason: faultsBySystemCode[code] ?? 'it cannot be reached' };
}

/** Classifies an error of a connection or a probe, where a refused command is an outage too. */
export function findOutage(error: unknown, topology: 'server' | 'sentinel' | 'cluster'): Outage {
  const fault = readFault(error);
  if (fault === isCluster && topology === 'cluster') return faultsByCode['TRYAGAIN'] as Outage;
  if (fault.kind !== 'command') return fault;
  const command = commandOf(error);
  if (fault.code !== 'NOPERM' || command === undefined) return refusesAll;
  const isOfKey = /keys/.test((error as Error).message);
  const reason = isOfKey
    ? 'its user may not use the keys of this server'
    : `its user may not run "${command}"`;
  return { kind: 'away', reason };
}

/** The command that failed: ioredis attaches it to the error. */
export function commandOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('command' in error)) return undefined;
  const { command } = error as { command?: { name?: unknown } };
  return typeof command?.name === 'string' ? command.name.toLowerCase() : undefined;
}

/** Removes the command, which may hold a password: ioredis attaches it, and old versions of Redis repeat it. */
export function toLoggable(
  error: unknown,
  ...passwords: readonly (string | undefined)[]
): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { text: String(error) };
  let text = error.message.replace(/,? with args beginning with: .*/s, '');
  for (const password of passwords) if (password) text = text.replaceAll(password, '…');
  return { name: error.name, ...('code' in error && { code: error.code }), text };
}

function readReply(text: string): RedisFault {
  const found = findByText(faultsByText, text);
  if (found !== undefined) return found;
  // Redis before 7 wraps an error within a script: "ERR Error running script (…): @user_script: 1: -OOM command …"
  const inner = /Error running script.*?-([A-Z]+) /s.exec(text)?.[1];
  // ioredis wraps it too after too many redirections by a cluster.
  const outer = /Last error: (?:ReplyError: )?([A-Z]+)/.exec(text)?.[1];
  const code = inner ?? outer ?? /^[A-Z]+/.exec(text)?.[0] ?? 'ERR';
  return faultsByCode[code] ?? { kind: 'command', code };
}

function findByText(faults: readonly (readonly [RegExp, Outage])[], text: string): Outage | undefined {
  return faults.find(([pattern]) => pattern.test(text))?.[1];
}
