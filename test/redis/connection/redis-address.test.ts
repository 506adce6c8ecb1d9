import { describe, expect, test } from 'vitest';
import { readRedisAddress } from '../../../src/redis/connection/redis-address.js';

const login = { username: undefined, password: undefined };
const plain = { ...login, db: 0, isSecure: false };
const at = (host: string, port = 6_379) => ({ kind: 'server', node: { host, port } }) as const;

describe('the address of Redis', () => {
  test.each([
    ['redis://cache', { ...plain, topology: at('cache') }],
    ['redis://127.0.0.1:7000', { ...plain, topology: at('127.0.0.1', 7_000) }],
    ['redis://[::1]:7000/', { ...plain, topology: at('::1', 7_000) }],
    ['rediss://cache/3', { ...plain, topology: at('cache'), db: 3, isSecure: true }],
    ['redis://:secret@cache', { ...plain, topology: at('cache'), password: 'secret' }],
    ['redis://me@cache', { ...plain, topology: at('cache'), username: 'me' }],
    [
      'redis://me:p%40ss%2Fw%25@cache:1/2',
      { topology: at('cache', 1), username: 'me', password: 'p@ss/w%', db: 2, isSecure: false },
    ],
    ['redis://me:p@ss:w@cache', { ...plain, topology: at('cache'), username: 'me', password: 'p@ss:w' }],
    [
      'redis+sentinel://me:secret@one,two:7000,[::1]:7001/my%2Fmaster/2',
      {
        topology: {
          kind: 'sentinel',
          sentinels: [
            { host: 'one', port: 26_379 },
            { host: 'two', port: 7_000 },
            { host: '::1', port: 7_001 },
          ],
          master: 'my/master',
        },
        username: 'me',
        password: 'secret',
        db: 2,
        isSecure: false,
      },
    ],
    [
      'rediss+sentinel://one/mymaster',
      {
        ...plain,
        topology: { kind: 'sentinel', sentinels: [{ host: 'one', port: 26_379 }], master: 'mymaster' },
        isSecure: true,
      },
    ],
    [
      'rediss+cluster://:secret@one,two:7000/0',
      {
        ...plain,
        topology: {
          kind: 'cluster',
          nodes: [
            { host: 'one', port: 6_379 },
            { host: 'two', port: 7_000 },
          ],
        },
        password: 'secret',
        isSecure: true,
      },
    ],
  ])('is read from %s', (text, expected) => {
    expect(readRedisAddress(text)).toEqual(expected);
  });

  test.each([
    ['redis://', 'such as'],
    ['redis://:canary@', 'such as'],
    ['redis://:canary@cache:99999', 'such as'],
    ['redis://:canary@cache:x', 'such as'],
    ['redis://:canary@cache/abc', 'whole number for the database'],
    ['redis://:canary@cache/-1', 'whole number for the database'],
    ['redis://:canary@cache/0/1', 'whole number for the database'],
    ['redis://:canary%@cache', '%25'],
    ['redis://:canary@one,two', 'redis+sentinel://'],
    ['redis+sentinel://:canary@one', 'the name of the master'],
    ['redis+sentinel://:canary@one/', 'the name of the master'],
    ['redis+sentinel://:canary@one,/mymaster', 'such as redis+sentinel'],
    ['redis+sentinel://:canary@one/mymaster/x', 'whole number for the database'],
    ['redis+cluster://:canary@one/3', 'only database 0'],
    ['redis+cluster://:canary@', 'such as redis+cluster'],
    ['redis+other://:canary@one', 'such as redis://'],
    // ioredis would read these as options of its own.
    ['redis://:canary@cache?commandTimeout=0', 'without "?"'],
    ['redis://:canary@cache/0#x', 'without "?"'],
    ['redis+cluster://:canary@one,two?x=1', 'without "?"'],
  ])('is rejected without being repeated: %s', (text, reason) => {
    expect(() => readRedisAddress(text)).toThrow(reason);
    expect(() => readRedisAddress(text)).not.toThrow('canary');
  });
});
