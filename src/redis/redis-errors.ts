import { OutOfStepError } from './out-of-step.js';

/** Redis cannot serve at all, or refuses what would change something. `reason` is in our own words. */
export interface Outage {
  readonly kind: 'away' | 'no-writes';
  readonly reason: string;
  /** Another server may by now be found by the same address: only a new connection leads to it. */
  readonly isElsewhere?: true;
}

/** An absence and what was behind it, as it may be logged. */
export interface FaultReading {
  readonly fault: Outage;
  readonly error: unknown;
}

/** What an error of Redis, or of the way to it, means for who asked. */
export type RedisFault =
  | Outage
  /** The question does not fit what is there, or Redis does not know it: the next one may. */
  | { readonly kind: 'question'; readonly code: string };

/** A question that Redis, which is well, has refused: `WRONGTYPE`, an error in a script. `code` is its first word. */
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
  reason: 'it answers something else than was asked',
  isElsewhere: true,
};
export const refusesAll: Outage = { kind: 'away', reason: 'it refuses what is needed' };
const noNode: Outage = { kind: 'away', reason: 'none of the nodes of its cluster can be reached' };
/** A cluster says so for the keys of its other nodes alone, so that a probe may succeed by chance. */
export const isCluster: Outage = {
  kind: 'away',
  reason: 'it is a cluster, and sends elsewhere: REDIS_URL has to begin with redis+cluster://',
};

/**
 * Behind one address, or by way of Sentinel, a failover makes another server the master, and the connection to the old
 * one lives on. What a server says that is no master, or that has lost sight of the others, is therefore a reason to
 * connect anew. What a master says of itself is none: the next connection would lead to the same server.
 */
const faultsByCode: Readonly<Record<string, Outage>> = {
  READONLY: { kind: 'no-writes', reason: 'it is a read-only replica', isElsewhere: true },
  // A master that is cut off from its replicas, of which one may have taken its place.
  NOREPLICAS: { kind: 'no-writes', reason: 'it has too few replicas', isElsewhere: true },
  LOADING: { kind: 'away', reason: 'it is loading its data', isElsewhere: true },
  MASTERDOWN: { kind: 'away', reason: 'it is a replica that has lost its master', isElsewhere: true },
  CLUSTERDOWN: { kind: 'away', reason: 'its cluster is down', isElsewhere: true },
  // Said to who waits on a master that becomes a replica.
  UNBLOCKED: { kind: 'away', reason: 'it has become a replica', isElsewhere: true },
  // The login is said once, at the beginning of a connection.
  NOAUTH: { kind: 'away', reason: 'it wants a password', isElsewhere: true },
  WRONGPASS: { kind: 'away', reason: 'the user or the password is wrong', isElsewhere: true },
  OOM: { kind: 'no-writes', reason: 'it is out of memory' },
  MISCONF: { kind: 'no-writes', reason: 'it cannot save to its disk' },
  BUSY: { kind: 'away', reason: 'it is busy with a script' },
  MOVED: isCluster,
  ASK: isCluster,
  TRYAGAIN: { kind: 'away', reason: 'its cluster is moving what was asked for' },
  CROSSSLOT: isCluster,
};

const faultsByText: readonly (readonly [RegExp, Outage])[] = [
  [/max number of clients/, { kind: 'away', reason: 'it has too many clients' }],
  [/invalid password|invalid username-password/, faultsByCode['WRONGPASS'] as Outage],
  [/DENIED Redis is running in protected mode/, { kind: 'away', reason: 'it takes local clients alone' }],
  [/DB index is out of range/, { kind: 'away', reason: 'it has no such database' }],
  [
    /SELECT is not allowed in cluster mode/,
    { kind: 'away', reason: 'it is a cluster, which has database 0 alone' },
  ],
  [
    /cluster support disabled/,
    { kind: 'away', reason: 'it is no cluster: REDIS_URL has to begin with redis://' },
  ],
];

const masterUnknown: Outage = { kind: 'away', reason: 'its Sentinels do not know the master' };
const faultsOfSentinels: readonly (readonly [RegExp, Outage])[] = [
  [/NOAUTH/, { kind: 'away', reason: 'its Sentinels want a password: REDIS_SENTINEL_PASSWORD' }],
  [
    /WRONGPASS|invalid password/,
    { kind: 'away', reason: 'its Sentinels do not accept REDIS_SENTINEL_PASSWORD' },
  ],
  [/No such master/, masterUnknown],
  [/Last error: /, { kind: 'away', reason: 'none of its Sentinels can be reached' }],
  [/./, masterUnknown],
];

const faultsBySystemCode: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up',
  ETIMEDOUT: 'it cannot be reached in time',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
};

/** What an error means, whatever threw it: Redis, its client, the system, TLS. */
export function readFault(error: unknown): RedisFault {
  if (!(error instanceof Error)) return connectionLost;
  if (error instanceof OutOfStepError) return outOfStep;
  const { name, message } = error;
  if (message.startsWith('All sentinels are unreachable'))
    return findByText(faultsOfSentinels, message) ?? refusesAll;
  if (name === 'ClusterAllFailedError') {
    // That of the node which was asked last says more, unless it is of the socket: ioredis keeps that to itself.
    const fault = 'lastNodeError' in error ? readFault(error.lastNodeError) : connectionLost;
    return fault === connectionLost ? noNode : fault;
  }
  if (name === 'ReplyError' || /Last error: /.test(message)) return readReply(message);
  // Of what asked, not of Redis.
  if (error instanceof TypeError || error instanceof RangeError) return { kind: 'question', code: name };
  const code = 'code' in error ? String(error.code) : '';
  if (/CERTIFICATE_REQUIRED|alert certificate required/.test(code + message)) {
    return {
      kind: 'away',
      reason: 'it wants a client certificate: REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE',
    };
  }
  if (/^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/.test(code)) {
    return {
      kind: 'away',
      reason: 'its certificate or its TLS is not accepted: REDIS_TLS_CA_FILE names an authority of your own',
    };
  }
  if (/^(ERR_SSL|ERR_TLS|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code)) {
    return { kind: 'away', reason: 'its certificate or its TLS is not accepted' };
  }
  if (/^Protocol error|Please report this/.test(message)) {
    return { kind: 'away', reason: 'what answers there is no Redis' };
  }
  if (code === '') return connectionLost;
  return { kind: 'away', reason: faultsBySystemCode[code] ?? 'it cannot be reached' };
}

/** What an error means where there is nothing that the question could be blamed for: that of a connection, a probe. */
export function findOutage(error: unknown, topology: 'server' | 'sentinel' | 'cluster'): Outage {
  const fault = readFault(error);
  if (fault === isCluster && topology === 'cluster') return faultsByCode['TRYAGAIN'] as Outage;
  if (fault.kind !== 'question') return fault;
  const command = commandOf(error);
  if (fault.code !== 'NOPERM' || command === undefined) return refusesAll;
  const isOfKey = /keys/.test((error as Error).message);
  const reason = isOfKey
    ? 'its user may not use the keys of this server'
    : `its user may not run "${command}"`;
  return { kind: 'away', reason };
}

/** The command that Redis has answered with an error: ioredis hangs it on. */
export function commandOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('command' in error)) return undefined;
  const { command } = error as { command?: { name?: unknown } };
  return typeof command?.name === 'string' ? command.name.toLowerCase() : undefined;
}

/**
 * An error as it may be logged: without the command and its arguments, which ioredis hangs on it and old versions of
 * Redis repeat in their texts. They may hold one of the passwords.
 */
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
  // Redis before 7 wraps what fails in a script: "ERR Error running script (…): @user_script: 1: -OOM command …"
  const inner = /Error running script.*?-([A-Z]+) /s.exec(text)?.[1];
  // So does ioredis when a cluster has sent it on too often.
  const outer = /Last error: (?:ReplyError: )?([A-Z]+)/.exec(text)?.[1];
  const code = inner ?? outer ?? /^[A-Z]+/.exec(text)?.[0] ?? 'ERR';
  return faultsByCode[code] ?? { kind: 'question', code };
}

function findByText(faults: readonly (readonly [RegExp, Outage])[], text: string): Outage | undefined {
  return faults.find(([pattern]) => pattern.test(text))?.[1];
}
