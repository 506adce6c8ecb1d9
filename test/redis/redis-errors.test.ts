import { describe, expect, test } from 'vitest';
import { findOutage, readFault, toLoggable } from '../../src/redis/redis-errors.js';

/** An error as ioredis creates it from Redis's reply. */
function replyError(text: string): Error {
  return Object.defineProperty(new Error(text), 'name', { value: 'ReplyError' });
}

describe('an error of Redis', () => {
  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'it is out of memory'],
    ["READONLY You can't write against a read only replica.", 'it is a read-only replica'],
    [
      'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to',
      'it cannot save to its disk',
    ],
    ['NOREPLICAS Not enough good replicas to write.', 'it has too few replicas'],
    [
      'ERR Error running script (call to f_1a2b): @user_script:1: @user_script: 1: -OOM command not allowed when used memory',
      'it is out of memory',
    ],
    [
      "ERR Error running script (call to f_1a2b): @user_script:1: @user_script: 1: -READONLY You can't write against",
      'it is a read-only replica',
    ],
  ])('means that Redis refuses only writes: %s', (text, reason) => {
    expect(readFault(replyError(text))).toMatchObject({ kind: 'no-writes', reason });
  });

  test.each([
    ['LOADING Redis is loading the dataset in memory', 'it is loading its data'],
    [
      "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
      'it is a replica that has lost its master',
    ],
    ['NOAUTH Authentication required.', 'it requires a password'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'the user or the password is wrong'],
    ['ERR invalid password', 'the user or the password is wrong'],
    ['MOVED 3999 127.0.0.1:6381', 'it is a cluster: REDIS_URL must begin with redis+cluster://'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'its cluster is moving the requested keys'],
    ['ERR SELECT is not allowed in cluster mode', 'it is a cluster, which has only database 0'],
    ['CLUSTERDOWN Hash slot not served', 'its cluster is down'],
    ['ERR max number of clients reached', 'it has too many clients'],
    ['ERR DB index is out of range', 'it has no such database'],
    ['DENIED Redis is running in protected mode', 'it accepts local clients only'],
  ])('means that Redis cannot serve: %s', (text, reason) => {
    expect(readFault(replyError(text))).toMatchObject({ kind: 'away', reason });
  });

  test.each([
    ['READONLY', true],
    ['NOREPLICAS', true],
    ['LOADING', true],
    ['MASTERDOWN', true],
    ['CLUSTERDOWN', true],
    ['UNBLOCKED', true],
    ['NOAUTH', true],
    ['WRONGPASS', true],
    ['OOM', undefined],
    ['MISCONF', undefined],
    ['BUSY', undefined],
    ['TRYAGAIN', undefined],
    ['MOVED', undefined],
  ])('%s is a reason to reconnect: %s', (code, isElsewhere) => {
    const fault = readFault(replyError(`${code} and more`));
    expect('isElsewhere' in fault ? fault.isElsewhere : undefined).toBe(isElsewhere);
  });

  test.each([
    [
      "NOPERM this user has no permissions to run the 'select' command",
      'select',
      'its user may not run "select"',
    ],
    [
      'NOPERM this user has no permissions to access one of the keys used as arguments',
      'eval',
      'its user may not use the keys of this server',
    ],
    ['ERR something else', 'eval', 'it refuses a needed command'],
  ])('of a probe is named by its cause: %s', (text, name, reason) => {
    const error = Object.assign(replyError(text), { command: { name, args: [] } });
    expect(findOutage(error, 'server')).toEqual({ kind: 'away', reason });
  });

  test.each([
    ['All sentinels are unreachable and retry is disabled.', 'its Sentinels do not know the master'],
    [
      'All sentinels are unreachable and retry is disabled. Last error: connect ECONNREFUSED 127.0.0.1:1',
      'none of its Sentinels can be reached',
    ],
    [
      'All sentinels are unreachable and retry is disabled. Last error: NOAUTH Authentication required.',
      'its Sentinels require a password: REDIS_SENTINEL_PASSWORD',
    ],
  ])('of Sentinels is not taken for one of Redis: %s', (text, reason) => {
    expect(readFault(new Error(text))).toEqual({ kind: 'away', reason });
  });

  test.each([
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'WRONGTYPE'],
    ["NOPERM this user has no permissions to run the 'scan' command", 'NOPERM'],
    ['NOSCRIPT No matching script.', 'NOSCRIPT'],
    ['ERR value is not an integer or out of range script: 1a2b, on @user_script:1.', 'ERR'],
    ['ERR Error running script (call to f_1a2b): @user_script:1: ERR value is not an integer', 'ERR'],
    ["ERR unknown command 'UNLINK', with args beginning with: 'x'", 'ERR'],
  ])('concerns one command only: %s', (text, code) => {
    expect(readFault(replyError(text))).toEqual({ kind: 'command', code });
  });

  test.each([
    ['ECONNREFUSED', 'it cannot be reached'],
    ['EHOSTUNREACH', 'it cannot be reached'],
    ['ENOTFOUND', 'its host name is unknown'],
    ['ETIMEDOUT', 'it cannot be reached in time'],
    ['ECONNRESET', 'the connection was lost'],
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'its certificate or its TLS is not accepted: set REDIS_TLS_CA_FILE for an authority of your own',
    ],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate or its TLS is not accepted'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'its certificate or its TLS is not accepted'],
    [
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'it requires a client certificate: REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE',
    ],
    ['CERT_HAS_EXPIRED', 'its certificate or its TLS is not accepted'],
  ])('of the connection gives a reason: %s', (code, reason) => {
    expect(readFault(Object.assign(new Error('x'), { code }))).toEqual({ kind: 'away', reason });
  });

  test('is logged without the password and without the command', () => {
    const error = Object.assign(
      replyError("ERR unknown command 'AUTH', with args beginning with: 'me' 'canary' canary"),
      { command: { name: 'auth', args: ['me', 'canary'] } },
    );
    expect(JSON.stringify(toLoggable(error, 'canary'))).not.toContain('canary');
    expect(toLoggable(replyError('ERR canary is wrong'), 'canary')).toEqual({
      name: 'ReplyError',
      text: 'ERR … is wrong',
    });
  });
});
