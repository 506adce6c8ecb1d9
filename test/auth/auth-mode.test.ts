import { describe, expect, test } from 'vitest';
import { readAccessMode } from '../../src/auth/auth-mode.js';
import { readConfig } from '../../src/config/read-config.js';
import { ConfigError } from '../../src/errors.js';

const modeOf = (environment: Record<string, string>) => readAccessMode(readConfig(environment));
const linesOf = (environment: Record<string, string>): readonly string[] => {
  try {
    modeOf(environment);
    return [];
  } catch (error) {
    return (error as ConfigError).lines;
  }
};

describe('without keys', () => {
  test.each(['127.0.0.1', '127.8.9.10', '::1', 'localhost', 'LOCALHOST'])(
    'a server at %s is open',
    (HOST) => {
      expect(modeOf({ HOST })).toEqual({
        mode: 'open',
        warning: 'every client on this machine may send requests: there are no API keys',
      });
    },
  );

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.example.com',
    '127.0.0.1.example.com',
    'localhost.example.com',
  ])('a server at %s does not start, and one line says what to set', (HOST) => {
    const [line, ...more] = linesOf({ HOST });
    expect(more).toEqual([]);
    expect(line).toMatch(new RegExp(`^HOST: at ${HOST} .*API_KEYS_FILE.*AUTH=off`));
  });

  test('AUTH=off opens a server at any address', () => {
    expect(modeOf({ HOST: '0.0.0.0', AUTH: 'off' })).toEqual({
      mode: 'open',
      warning: 'every client that reaches this address may send requests: there are no API keys (AUTH=off)',
    });
  });
});

test.each([{ API_KEYS_FILE: 'keys.json' }, { API_KEYS: '[]' }])('with %j clients need a key', (keys) => {
  expect(modeOf({ HOST: '0.0.0.0', METRICS_AUTH: 'key', ...keys })).toEqual({ mode: 'keys' });
});

test.each<[Record<string, string>, RegExp]>([
  [{ API_KEYS_FILE: 'a', API_KEYS: '[]' }, /^API_KEYS: is set beside API_KEYS_FILE/],
  [{ API_KEYS_FILE: 'a', AUTH: 'off' }, /^AUTH: is "off" beside API_KEYS_FILE/],
  [{ API_KEYS: '[]', AUTH: 'off' }, /^AUTH: is "off" beside API_KEYS;/],
  [{ METRICS_AUTH: 'key' }, /^METRICS_AUTH: "key" needs keys/],
  [{ METRICS_AUTH: 'key', AUTH: 'off' }, /^METRICS_AUTH: "key" needs keys/],
])('%j is a contradiction, named in one line', (environment, line) => {
  expect(linesOf(environment)).toEqual([expect.stringMatching(line)]);
});

test('one error names all contradictions', () => {
  expect(linesOf({ HOST: '0.0.0.0', METRICS_AUTH: 'key' })).toHaveLength(2);
  expect(() => modeOf({ HOST: '::' })).toThrow(ConfigError);
});
