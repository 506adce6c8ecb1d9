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

/** The user of the link: the label of `degraded_total`. */
export type Part = 'cache' | 'feedback' | 'limits' | 'log';

/** The connection to Redis that all parts share. Redis may be away at any time. */
export interface RedisLink {
  readonly state: 'up' | 'down';
  /** Commands that Redis refuses while it serves others, such as those that its user may not run. */
  readonly refusedCommands: readonly string[];
  /**
   * Runs a command. Never rejects. Resolves with undefined if Redis did not answer in time or cannot serve; while it is
   * known to be away, nothing is sent and nothing waits. Resolves with the refusal if Redis refuses only this command
   * (`WRONGTYPE`). Commands of kind `read` also run on a replica, or on a Redis out of memory.
   */
  ask<T>(
    part: Part,
    command: (redis: Commands) => Promise<T>,
    kind?: 'read' | 'write',
  ): Promise<T | RefusedByRedis | undefined>;
  /** For a part that got an unusable reply and continues without Redis. */
  recordDegraded(part: Part): void;
  /** Closes the connection within 0.2 s, even if Redis hangs. `ask` resolves with undefined afterwards. */
  close(): Promise<void>;
}

export interface RedisLinkOptions extends RefusalWatcher {
  readonly answerTimeoutMs: number;
  /** The only key that the link itself writes. In a cluster, other masters get keys derived from it. */
  readonly probeKey: string;
  readonly tlsFiles?: TlsFiles;
  readonly sentinelLogin?: SentinelLogin;
  readonly onChange: (change: LinkChange) => void;
  /** Redis was up and the other end closed the connection. It is made again. */
  readonly onReconnect: () => void;
  readonly onDegraded: (part: Part) => void;
}

/** Connects in the background, and reconnects forever. Throws if a TLS file cannot be read. */
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
  /** Commands past their deadline without a reply. New commands would wait behind them. */
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

  function giveUp(reply: Promise<unknown>): void {
    overdue += 1;
    const end = () => {
      overdue -= 1;
    };
    reply.then(end, end);
    fail({ fault: noAnswerInTime, error: undefined });
    connection.check();
  }

  /** Returns the refusal of this one command; undefined for an outage. */
  function handleError(error: unknown, isWrite: boolean): RefusedByRedis | undefined {
    const fault = readFault(error);
    const finding = toFinding(error);
    if (fault.kind === 'command') {
      health.succeed(isWrite);
      const command = commandOf(error);
      // A script may fail because of a command that the probe has already named.
      const isNamed = command?.startsWith('eval') && refused.names.length > 0;
      if (command !== undefined && fault.code !== 'WRONGTYPE' && !isNamed) refused.note(command);
      return new RefusedByRedis(fault.code, { cause: finding.error });
    }
    // The end of a closed connection is handled once, by the close event.
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
        const pending = command(connection.commands);
        const reply = await withDeadline(pending, leftMs);
        if (reply !== noAnswer) {
          health.succeed(isWrite);
          return reply;
        }
        giveUp(pending);
        return recordDegraded(part);
      } catch (error) {
        return handleError(error, isWrite) ?? recordDegraded(part);
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
