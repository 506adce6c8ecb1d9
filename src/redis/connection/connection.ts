import type { Redis } from 'ioredis';

/** The commands that are used. `scan` of a cluster goes through all of its masters, one after the other. */
export type Commands = Pick<Redis, 'getrange' | 'set' | 'unlink' | 'eval' | 'evalsha'> & {
  scan(
    cursor: string,
    match: 'MATCH',
    pattern: string,
    count: 'COUNT',
    keys: number,
  ): Promise<[cursor: string, keys: string[]]>;
};

/** A connection to the Redis of one address, whatever number of sockets that takes. It is made again for ever. */
export interface Connection {
  readonly commands: Commands;
  /** Whether there is one, and it is logged in. */
  readonly isReady: boolean;
  /** Holds back what is asked in this turn of the loop, so that it goes out in one write. */
  gather(): void;
  /** Chooses a database, for all that is asked afterwards. Rejects where that is refused. */
  select(db: number): Promise<unknown>;
  /** Whether what was taken for a whole Redis is one node of a cluster. */
  isNodeOfCluster(): Promise<boolean>;
  /** Keys of which each of the servers that are written to has at least one. */
  probeKeys(): readonly string[];
  /** Gives it up for a new one. */
  reconnect(): void;
  /** Ends it within 0.2 s; what is on its way is answered first where `isAnswering`. */
  close(isAnswering: boolean): Promise<void>;
}

export interface ConnectionEvents {
  readonly onReady: () => void;
  /** `error` is what it failed of; undefined where the other end has closed it without a word. */
  readonly onClose: (error: unknown) => void;
  /** How long to wait until it is made again. */
  readonly reconnectDelayMs: () => number;
}

export const connectTimeoutMs = 500;
export const closeTimeoutMs = 100;
