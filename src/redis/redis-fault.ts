/** Redis cannot serve at all, or refuses what would change something. `reason` is in our own words. */
export interface Absence {
  readonly kind: 'away' | 'no-writes';
  readonly reason: string;
}

/** An absence and what was behind it, as it may be logged. */
export interface Finding {
  readonly fault: Absence;
  readonly error: unknown;
}

/** What an error of Redis, or of the way to it, means for who asked. */
export type RedisFault =
  | Absence
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

export const noAnswerInTime: Absence = { kind: 'away', reason: 'it does not answer in time' };
export const connectionLost: Absence = { kind: 'away', reason: 'the connection was lost' };
export const refusesAll: Absence = { kind: 'away', reason: 'it refuses what is needed' };
/** A cluster says so for the keys of its other nodes alone, so that a probe may succeed by chance. */
export const isCluster: Absence = { kind: 'away', reason: 'it is a cluster, and sends elsewhere' };

const faultsByCode: Readonly<Record<string, Absence>> = {
  OOM: { kind: 'no-writes', reason: 'it is out of memory' },
  READONLY: { kind: 'no-writes', reason: 'it is a read-only replica' },
  MISCONF: { kind: 'no-writes', reason: 'it cannot save to its disk' },
  NOREPLICAS: { kind: 'no-writes', reason: 'it has too few replicas' },
  LOADING: { kind: 'away', reason: 'it is loading its data' },
  BUSY: { kind: 'away', reason: 'it is busy with a script' },
  MASTERDOWN: { kind: 'away', reason: 'it is a replica that has lost its master' },
  NOAUTH: { kind: 'away', reason: 'it wants a password' },
  WRONGPASS: { kind: 'away', reason: 'the user or the password is wrong' },
  NOPERM: { kind: 'away', reason: 'the user may not do what is needed' },
  MOVED: isCluster,
  ASK: isCluster,
  TRYAGAIN: isCluster,
  CROSSSLOT: isCluster,
  CLUSTERDOWN: { kind: 'away', reason: 'its cluster is down' },
};

const faultsByText: readonly (readonly [RegExp, Absence])[] = [
  [/max number of clients/, { kind: 'away', reason: 'it has too many clients' }],
  [/invalid password|invalid username-password/, faultsByCode['WRONGPASS'] as Absence],
  [/DENIED Redis is running in protected mode/, { kind: 'away', reason: 'it takes local clients alone' }],
  [/DB index is out of range/, { kind: 'away', reason: 'it has no such database' }],
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
  const { name, message } = error;
  if (name === 'ReplyError' || /Last error: /.test(message)) return readReply(message);
  // Of what asked, not of Redis.
  if (error instanceof TypeError || error instanceof RangeError) return { kind: 'question', code: name };
  const code = 'code' in error ? String(error.code) : '';
  if (/^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code)) {
    return { kind: 'away', reason: 'its certificate or its TLS is not accepted' };
  }
  if (/^Protocol error|Please report this/.test(message)) {
    return { kind: 'away', reason: 'what answers there is no Redis' };
  }
  if (code === '') return connectionLost;
  return { kind: 'away', reason: faultsBySystemCode[code] ?? 'it cannot be reached' };
}

/**
 * An error as it may be logged: without the command and its arguments, which ioredis hangs on it and old versions of
 * Redis repeat in their texts. They may hold the password.
 */
export function toLoggable(error: unknown, password: string | undefined): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { text: String(error) };
  const text = error.message.replace(/,? with args beginning with: .*/s, '');
  return {
    name: error.name,
    ...('code' in error && { code: error.code }),
    text: password === undefined ? text : text.replaceAll(password, '…'),
  };
}

function readReply(text: string): RedisFault {
  for (const [pattern, fault] of faultsByText) if (pattern.test(text)) return fault;
  // Redis before 7 wraps what fails in a script: "ERR Error running script (…): @user_script: 1: -OOM command …"
  const inner = /Error running script.*?-([A-Z]+) /s.exec(text)?.[1];
  const code = inner ?? /^[A-Z]+/.exec(text)?.[0] ?? 'ERR';
  return faultsByCode[code] ?? { kind: 'question', code };
}
