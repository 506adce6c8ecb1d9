import { Redis } from 'ioredis';
import { noAnswer, withDeadline } from './deadline.js';
import { createGatherer } from './gatherer.js';
import { type LinkChange, LinkHealth } from './link-health.js';
import { Prober } from './prober.js';
import type { RedisAddress } from './redis-address.js';
import {
  connectionLost,
  type Finding,
  isCluster,
  noAnswerInTime,
  RefusedByRedis,
  readFault,
  refusesAll,
  toLoggable,
} from './redis-fault.js';

/** The commands that are used. */
export type Commands = Pick<Redis, 'getrange' | 'set' | 'unlink' | 'scan' | 'eval' | 'evalsha'>;

/** Who asks Redis: the label of `degraded_total`. */
export type Part = 'cache' | 'limits';

/** The one connection to Redis that the parts share, which may be away at any time. */
export interface RedisLink {
  /** Whether Redis serves all that is asked of it. */
  readonly isUp: boolean;
  readonly state: 'up' | 'down';
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
  goOnWithout(part: Part): void;
  /** Ends the connection within 0.2 s, whatever Redis does. Nothing may be asked afterwards. */
  close(): Promise<void>;
}

export interface RedisLinkOptions {
  /** From a question to its answer. */
  readonly answerTimeoutMs: number;
  /** Begins the one key that the link itself writes, to find out whether it may. */
  readonly prefix: string;
  readonly onChange: (change: LinkChange) => void;
  /** A decision to go on without Redis. */
  readonly onDegraded: (part: Part) => void;
}

const connectTimeoutMs = 500;
const closeTimeoutMs = 100;
const longestReconnectMs = 1_000;
const probeScript = "return redis.call('SET', KEYS[1], '', 'PX', 1000)";

/**
 * Connects in the background, and again for ever, and finds out by itself when Redis serves again. It does so by the
 * same deadline as questions have, so that a Redis that has become slow is away as well.
 */
export function createRedisLink(address: RedisAddress, options: RedisLinkOptions): RedisLink {
  const { prefix, answerTimeoutMs, onDegraded } = options;
  const health = new LinkHealth(() => performance.now(), options.onChange);
  const gather = createGatherer();
  let reconnects = 0;
  let isClosing = false;
  let handshakeTimer: NodeJS.Timeout | undefined;
  /** What the connection failed of, before it closes. */
  let lastError: Finding | undefined;
  let hasMoved = false;

  const redis = new Redis({
    host: address.host,
    port: address.port,
    db: address.db,
    ...(address.username !== undefined && { username: address.username }),
    ...(address.password !== undefined && { password: address.password }),
    ...(address.isSecure && { tls: {} }),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: closeTimeoutMs / 2,
    // The probe finds out more, and as often as is good.
    enableReadyCheck: false,
    // Nothing is said at first that an old Redis, a proxy or a narrow list of permissions could refuse.
    protocol: 2,
    disableClientInfo: true,
    retryStrategy: () => {
      const delayMs = Math.min(50 * 2 ** reconnects, longestReconnectMs);
      reconnects += 1;
      return delayMs * (0.5 + Math.random() / 2);
    },
  });
  const prober = new Prober(
    { isReady: () => redis.status === 'ready', findAbsence, reconnect: () => redis.disconnect(true) },
    health,
    answerTimeoutMs,
  );
  redis.on('connect', () => {
    handshakeTimer = setTimeout(() => {
      lastError = { fault: noAnswerInTime, error: undefined };
      redis.disconnect(true);
    }, connectTimeoutMs);
  });
  redis.on('error', (error) => {
    lastError = toFinding(error);
  });
  redis.on('ready', () => {
    clearTimeout(handshakeTimer);
    lastError = undefined;
    prober.plan();
  });
  redis.on('close', () => {
    clearTimeout(handshakeTimer);
    prober.forget();
    if (!isClosing) health.fail(lastError ?? { fault: connectionLost, error: undefined }, true);
  });
  redis.connect().catch(() => undefined);

  function toFinding(error: unknown): Finding {
    const fault = readFault(error);
    return {
      fault: fault.kind === 'question' ? refusesAll : fault,
      error: toLoggable(error, address.password),
    };
  }

  /** Why Redis does not do all that is needed; undefined where it does. Never rejects. */
  async function findAbsence(): Promise<Finding | undefined> {
    try {
      if (hasMoved && /cluster_enabled:1/.test(await redis.info('cluster'))) {
        return { fault: isCluster, error: undefined };
      }
      await redis.eval(probeScript, 1, `${prefix}probe`);
      reconnects = 0;
      return undefined;
    } catch (error) {
      return toFinding(error);
    }
  }

  function fail(finding: Finding): void {
    if (finding.fault === isCluster) hasMoved = true;
    health.fail(finding, redis.status !== 'ready');
    prober.plan();
  }

  function goOnWithout(part: Part): undefined {
    onDegraded(part);
    return undefined;
  }

  return {
    get isUp() {
      return health.state === 'up';
    },
    get state() {
      return health.state;
    },
    async ask(part, command, kind = 'write') {
      const isWrite = kind === 'write';
      if (isClosing || !(isWrite ? health.mayWrite : health.mayRead)) return goOnWithout(part);
      gather(redis.stream);
      try {
        const reply = await withDeadline(command(redis), answerTimeoutMs);
        if (reply === noAnswer) {
          fail({ fault: noAnswerInTime, error: undefined });
          return goOnWithout(part);
        }
        health.succeed(isWrite);
        return reply;
      } catch (error) {
        const fault = readFault(error);
        const finding = toFinding(error);
        if (fault.kind === 'question') {
          health.succeed(isWrite);
          return new RefusedByRedis(fault.code, { cause: finding.error });
        }
        fail(finding);
        return goOnWithout(part);
      }
    },
    goOnWithout,
    async close() {
      isClosing = true;
      prober.stop();
      clearTimeout(handshakeTimer);
      const { stream } = redis;
      // The answer to this one comes after all that is still on its way.
      if (redis.status === 'ready' && health.mayRead) {
        await withDeadline(redis.quit(), closeTimeoutMs).catch(() => undefined);
      }
      redis.disconnect();
      // What does not end by itself is destroyed after the `disconnectTimeout`.
      if (stream !== undefined && !stream.destroyed) {
        await new Promise((resolve) => stream.once('close', resolve));
      }
    },
  };
}
