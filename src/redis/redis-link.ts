import { noAnswer, withDeadline } from '../time/deadline.js';
import { createClusterConnection } from './connection/cluster-connection.js';
import type { Commands, Connection, ConnectionEvents } from './connection/connection.js';
import type { RedisAddress } from './connection/redis-address.js';
import { createServerConnection, type SentinelLogin } from './connection/server-connection.js';
import { readTlsFiles, type TlsFiles } from './connection/tls-files.js';
import { type LinkChange, LinkHealth } from './link-health.js';
import {
  commandOf,
  connectionLost,
  type FaultReading,
  findOutage,
  noAnswerInTime,
  RefusedByRedis,
  readFault,
  toLoggable,
} from './redis-errors.js';
import { type RefusalWatcher, RefusedCommands } from './refused-commands.js';
import { WatchedConnection } from './watched-connection.js';

/** Who asks Redis: the label of `degraded_total`. */
export type Part = 'cache' | 'limits';

/** The one connection to Redis that the parts share, which may be away at any time. */
export interface RedisLink {
  /** Whether Redis serves all that is asked of it. */
  readonly state: 'up' | 'down';
  /** Commands that it refuses although it serves others: what its user may not run. */
  readonly refusedCommands: readonly string[];
  /**
   * Asks Redis, and never rejects. Undefined means to go on without: it did not answer in time, cannot serve, or
   * is known to be away, and then nothing is sent and nothing waits. A question that Redis refused by itself, such as
   * a list where a text was expected, gives the refusal. What only reads says so, and is then asked of a Redis that
   * refuses to write (full, or a replica).
   */
  ask<T>(
    part: Part,
    command: (redis: Commands) => Promise<T>,
    kind?: 'read' | 'write',
  ): Promise<T | RefusedByRedis | undefined>;
  /** Counts that a part goes on without Redis although it was answered: what it got was of no use. */
  recordDegraded(part: Part): void;
  /** Ends the connection within 0.2 s, whatever Redis does. Nothing may be asked afterwards. */
  close(): Promise<void>;
}

export interface RedisLinkOptions extends RefusalWatcher {
  /** From a question to its answer. */
  readonly answerTimeoutMs: number;
  /** The one key that the link itself writes, to find out whether it may; in a cluster, the beginning of several. */
  readonly probeKey: string;
  readonly tlsFiles?: TlsFiles;
  readonly sentinelLogin?: SentinelLogin;
  readonly onChange: (change: LinkChange) => void;
  /** A connection that was closed while all was well, and is made again. */
  readonly onReconnect: () => void;
  /** A decision to go on without Redis. */
  readonly onDegraded: (part: Part) => void;
}

/**
 * Connects in the background, and again for ever, and finds out by itself when Redis serves again. It does so by the
 * same deadline as questions have, so that a Redis that has become slow is away as well. A connection that others
 * close while all is well is made again without a word. Throws where a file for TLS cannot be read.
 */
export function createRedisLink(address: RedisAddress, options: RedisLinkOptions): RedisLink {
  const { answerTimeoutMs, probeKey, onDegraded, onReconnect, sentinelLogin = {}, tlsFiles = {} } = options;
  const now = () => performance.now();
  const health = new LinkHealth(now, options.onChange);
  const refused = new RefusedCommands(now, options);
  const connection = new WatchedConnection(health, refused, {
    db: address.db,
    answerTimeoutMs,
    toFinding,
    onReconnect,
    connect: (events) => connect(address, tlsFiles, sentinelLogin, probeKey, events),
  });
  let isClosing = false;
  /** Questions that were given up, and whose answers have not come: what is asked now would wait behind them. */
  let overdue = 0;

  function toFinding(error: unknown): FaultReading {
    const fault = findOutage(error, address.topology.kind);
    return { fault, error: toLoggable(error, address.password, sentinelLogin.password) };
  }

  function recordDegraded(part: Part): undefined {
    onDegraded(part);
    return undefined;
  }

  function fail(finding: FaultReading): void {
    health.fail(finding, !connection.isReady || finding.fault.isElsewhere === true);
    connection.watch(finding);
  }

  function giveUp(question: Promise<unknown>): void {
    overdue += 1;
    const end = () => {
      overdue -= 1;
    };
    question.then(end, end);
    fail({ fault: noAnswerInTime, error: undefined });
    connection.check();
  }

  /** A refusal of this question alone; undefined for what keeps all from being asked. */
  function judge(error: unknown, isWrite: boolean): RefusedByRedis | undefined {
    const fault = readFault(error);
    const finding = toFinding(error);
    if (fault.kind === 'question') {
      health.succeed(isWrite);
      const command = commandOf(error);
      // A script fails of a command in it that the probe has named.
      const isNamed = command?.startsWith('eval') && refused.names.length > 0;
      if (command !== undefined && fault.code !== 'WRONGTYPE' && !isNamed) refused.note(command);
      return new RefusedByRedis(fault.code, { cause: finding.error });
    }
    // What becomes of a connection that was closed is decided where that is told, once.
    if (fault !== connectionLost || connection.isReady) fail(finding);
    return undefined;
  }

  return {
    get state() {
      return health.state;
    },
    get refusedCommands() {
      return refused.names;
    },
    async ask(part, command, kind = 'write') {
      const isWrite = kind === 'write';
      const may = () => !isClosing && overdue === 0 && (isWrite ? health.mayWrite : health.mayRead);
      if (!may()) return recordDegraded(part);
      const leftMs = connection.isProven ? answerTimeoutMs : await connection.waitUntilProven();
      if (leftMs === 0 || !may()) return recordDegraded(part);
      connection.gather();
      try {
        const question = command(connection.commands);
        const reply = await withDeadline(question, leftMs);
        if (reply !== noAnswer) {
          health.succeed(isWrite);
          return reply;
        }
        giveUp(question);
        return recordDegraded(part);
      } catch (error) {
        return judge(error, isWrite) ?? recordDegraded(part);
      }
    },
    recordDegraded: recordDegraded,
    async close() {
      isClosing = true;
      await connection.close(health.mayRead && overdue === 0);
    },
  };
}

function connect(
  address: RedisAddress,
  tlsFiles: TlsFiles,
  sentinelLogin: SentinelLogin,
  probeKey: string,
  events: ConnectionEvents,
): Connection {
  const { topology } = address;
  const tls = address.isSecure ? readTlsFiles(tlsFiles) : undefined;
  return topology.kind === 'cluster'
    ? createClusterConnection(address, topology.nodes, tls, probeKey, events)
    : createServerConnection(address, tls, sentinelLogin, probeKey, events);
}
