import type { Redis } from 'ioredis';

/** In a cluster, `scan` visits all masters one after the other. */
export type Commands = Pick<Redis, 'getrange' | 'set' | 'unlink' | 'eval' | 'evalsha'> & {
  scan(
    cursor: string,
    match: 'MATCH',
    pattern: string,
    count: 'COUNT',
    keys: number,
  ): Promise<[cursor: string, keys: string[]]>;
};

/** A connection to one address, over one or several sockets. It reconnects forever. */
export interface Connection {
  readonly commands: Commands;
  /** Connected and logged in. */
  readonly isReady: boolean;
  /** Sends all commands of this turn of the loop in one write. */
  gather(): void;
  /** Rejects if Redis refuses the database. */
  select(db: number): Promise<unknown>;
  isNodeOfCluster(): Promise<boolean>;
  /** At least one key on each master. */
  probeKeys(): readonly string[];
  reconnect(): void;
  /** Closes within 0.2 s; with `isAnswering`, pending commands get their replies first. */
  close(isAnswering: boolean): Promise<void>;
}

export interface ConnectionEvents {
  readonly onReady: () => void;
  /** `error` is undefined if the other end closed the connection. */
  readonly onClose: (error: unknown) => void;
  readonly reconnectDelayMs: () => number;
}

export const connectTimeoutMs = 500;
export const closeTimeoutMs = 100;
