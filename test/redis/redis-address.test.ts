import { describe, expect, test } from 'vitest';
import { readRedisAddress } from '../../src/redis/redis-address.js';

const plain = { port: 6_379, username: undefined, password: undefined, db: 0, isSecure: false };

describe('the address of Redis', () => {
  test.each([
    ['redis://cache', { ...plain, host: 'cache' }],
    ['redis://127.0.0.1:7000', { ...plain, host: '127.0.0.1', port: 7_000 }],
    ['redis://[::1]:7000/', { ...plain, host: '::1', port: 7_000 }],
    ['rediss://cache/3', { ...plain, host: 'cache', db: 3, isSecure: true }],
    ['redis://:secret@cache', { ...plain, host: 'cache', password: 'secret' }],
    [
      'redis://me:p%40ss%2Fw%25@cache:1/2',
      { host: 'cache', port: 1, username: 'me', password: 'p@ss/w%', db: 2, isSecure: false },
    ],
  ])('is read from %s', (text, expected) => {
    expect(readRedisAddress(text)).toEqual(expected);
  });

  test.each([
    ['redis://', 'such as'],
    ['redis://:canary@', 'such as'],
    ['redis://:canary@cache:99999', 'such as'],
    ['redis://:canary@cache/abc', 'whole number for the database'],
    ['redis://:canary@cache/-1', 'whole number for the database'],
    ['redis://:canary%@cache', '%25'],
    // ioredis would take them for settings of its own.
    ['redis://:canary@cache?commandTimeout=0', 'without "?"'],
    ['redis://:canary@cache/0#x', 'without "?"'],
  ])('is refused when it is %s, without repeating it', (text, reason) => {
    expect(() => readRedisAddress(text)).toThrow(reason);
    expect(() => readRedisAddress(text)).not.toThrow('canary');
  });
});
