import { describe, expect, test } from 'vitest';
import { proxiesForm } from '../../src/addresses/trusted-proxies.js';
import { originsForm } from '../../src/config/cors-origins.js';
import { findMisspelt, readConfig } from '../../src/config/read-config.js';
import { ConfigError } from '../../src/errors.js';

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  test('has a default for each required variable', () => {
    expect(readConfig({})).toMatchObject({
      HOST: '127.0.0.1',
      PORT: 8_000,
      MODELS_DIR: 'models',
      LOG_LEVEL: 'info',
      BODY_LIMIT_BYTES: 8 * 1_024 * 1_024,
      DOCS: 'on',
    });
  });

  test('treats an empty variable as left out', () => {
    expect(readConfig({ PORT: '', DEFAULT_MODEL: '' })).toEqual(readConfig({}));
  });

  test('ignores variables that are not its own', () => {
    expect(readConfig({ PATH: '/bin', port: '1' })).toEqual(readConfig({}));
  });

  test('reads whole numbers as numbers, and texts that look like numbers as texts', () => {
    expect(readConfig({ PORT: '0', DEFAULT_MODEL: '42' })).toMatchObject({ PORT: 0, DEFAULT_MODEL: '42' });
  });

  test('reports each problem in one line: the variable, the value it got, the values it takes', () => {
    expect(problemsOf({ PORT: 'x', LOG_LEVEL: 'loud', DOCS: 'yes', PUBLIC_URL: 'ftp://a' })).toEqual([
      'PORT: got "x", takes a whole number from 0 to 65535',
      'PUBLIC_URL: got "ftp://a", takes an http:// or https:// address',
      'DOCS: got "yes", takes one of on, off',
      'LOG_LEVEL: got "loud", takes one of fatal, error, warn, info, debug, trace, silent',
    ]);
  });

  test.each(['-1', '65536', '80.5', '0x50', '1e3', ' 80', '80 ', '٨٠', 'NaN', '9'.repeat(400)])(
    'refuses the port %j',
    (port) => {
      expect(problemsOf({ PORT: port })).toHaveLength(1);
    },
  );

  test.each(['HEADERS_TIMEOUT_MS', 'REQUEST_TIMEOUT_MS', 'RESPONSE_TIMEOUT_MS'])(
    'refuses 0 for %s: the time-outs of clients cannot be switched off',
    (name) => {
      expect(problemsOf({ [name]: '0' })).toEqual([
        `${name}: got "0", takes a whole number from 1 to 3600000`,
      ]);
    },
  );

  test.each([
    'http://user:canary@host',
    'redis:/:canary@host',
    'canary@host',
    'redis://:can ary@host canary@host',
  ])('does not repeat the password of REDIS_URL in %j', (url) => {
    expect(problemsOf({ REDIS_URL: url })).toEqual([
      expect.stringMatching(
        /^REDIS_URL: got "(?!.*can ?ary).*…@host", takes a redis:\/\/ or rediss:\/\/ address, of Sentinels/,
      ),
    ]);
  });

  test.each([
    'true',
    '*',
    'all',
    'loopback',
    '0',
    '-1',
    '33',
    '1.5',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '010.0.0.1',
    'fe80::1%eth0',
    'proxy.example.com',
    '10.0.0.1,',
    '10.0.0.1;10.0.0.2',
  ])('refuses to trust %j', (proxies) => {
    expect(problemsOf({ TRUST_PROXY: proxies })).toEqual([
      `TRUST_PROXY: got ${JSON.stringify(proxies)}, takes ${proxiesForm}`,
    ]);
  });

  test.each(['1', '32', '10.0.0.1', ' 10.0.0.0/8 , ::1 ', '2001:db8::/32', '::ffff:10.0.0.1'])(
    'accepts %j as trusted proxies',
    (proxies) => {
      expect(problemsOf({ TRUST_PROXY: proxies })).toEqual([]);
    },
  );

  test.each([
    'true',
    'https://*',
    'https://*.example.com',
    'https://a.example/',
    'https://a.example/path',
    'https://a.example:443',
    'http://a.example:80',
    'https://A.example',
    'HTTPS://a.example',
    'https://user@a.example',
    'https://a.example:99999',
    'a.example',
    '//a.example',
    'null',
    'file://',
    '*,https://a.example',
    'https://a.example,',
    'https://a.example https://b.example',
  ])('refuses the origin %j', (origins) => {
    expect(problemsOf({ CORS_ORIGINS: origins })).toEqual([
      `CORS_ORIGINS: got ${JSON.stringify(origins.replace('user@', '…@'))}, takes ${originsForm}`,
    ]);
  });

  test.each([
    '*',
    'https://a.example',
    'http://localhost:3000, https://a.example:8443',
    'http://[::1]:3000',
    'https://xn--mller-kva.example',
    'capacitor://localhost',
  ])('accepts the origins %j', (origins) => {
    expect(problemsOf({ CORS_ORIGINS: origins })).toEqual([]);
  });

  test('cuts a long value in the report of a problem', () => {
    expect(problemsOf({ PORT: 'x'.repeat(100_000) })[0]?.length).toBeLessThan(200);
  });
});

describe('a variable whose name is close to a known one', () => {
  test.each([
    ['RATE_LIMT_MAX', 'RATE_LIMIT_MAX'],
    ['REDIS_URI', 'REDIS_URL'],
    ['MODEL_DIR', 'MODELS_DIR'],
    ['log_level', 'LOG_LEVEL'],
    ['API_KEY', 'API_KEYS'],
  ])('%s is reported as misspelt for %s', (variable, meant) => {
    expect(findMisspelt({ [variable]: 'x', PORT: '1' })).toEqual([{ variable, meant }]);
  });

  test.each([
    'PATH',
    'HOSTNAME',
    'HOME',
    'LOGNAME',
    'NODE_ENV',
    'REDIS_PORT',
    'REDIS_SERVICE_HOST',
    'PORTS',
    'KUBERNETES_PORT',
    'DOCKER_HOST',
    'TMPDIR',
  ])('%s of another program is not reported', (variable) => {
    expect(findMisspelt({ [variable]: 'x' })).toEqual([]);
  });
});
