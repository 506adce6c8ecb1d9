/** Where a Redis is and how to log in to it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly isSecure: boolean;
}

const form = 'redis://user:password@host:6379/0, or rediss:// for TLS';

/**
 * Reads `redis://user:password@host:port/database`. Throws an error that says what is wrong with the address, and
 * never repeats any of it: it may hold a password.
 */
export function readRedisAddress(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error(`takes an address such as ${form}`);
  }
  // ioredis would take each of them for one of its own settings.
  if (url.search !== '' || url.hash !== '') throw new Error('takes an address without "?" and "#"');
  const [, db] = /^\/?(\d{0,4})$/.exec(url.pathname) ?? [];
  if (db === undefined) throw new Error('takes a whole number for the database, after the last "/"');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6_379 : Number(url.port),
    username: decode(url.username),
    password: decode(url.password),
    db: Number(db),
    isSecure: url.protocol === 'rediss:',
  };
}

function decode(text: string): string | undefined {
  if (text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('takes %25 for a "%" in the user or the password');
  }
}
