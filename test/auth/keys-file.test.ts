import { describe, expect, test } from 'vitest';
import { parseKeyEntries, toApiKey } from '../../src/auth/keys-file.js';
import { messageOf } from '../../src/errors.js';
import { entry, secretOf } from '../helpers/keys.js';

const parse = (file: unknown) =>
  parseKeyEntries(Buffer.from(typeof file === 'string' ? file : JSON.stringify(file)));
const problemOf = (file: unknown): string => {
  try {
    parse(file);
    return '';
  } catch (error) {
    return messageOf(error);
  }
};

describe('the key file', () => {
  test('gives each key its scopes, models, limit and expiry', () => {
    const [key] = parse([
      entry('a', {
        scopes: ['predict', 'read'],
        models: ['iris'],
        rateLimit: { max: 10, window: '30 seconds' },
        expires: '2027-01-01T00:00:00+01:00',
      }),
    ]).map(toApiKey);
    expect(key).toMatchObject({
      id: 'a',
      scopes: new Set(['predict', 'read']),
      models: new Set(['iris']),
      limit: { max: 10, windowMs: 30_000 },
      expiresAt: Date.UTC(2026, 11, 31, 23),
    });
  });

  test('allows all models without expiry by default', () => {
    const keys = parse([entry('a'), entry('b', { models: ['*'], rateLimit: { max: 1 } })]).map(toApiKey);
    expect(keys[0]).toMatchObject({ models: undefined, limit: undefined, expiresAt: undefined });
    expect(keys[1]).toMatchObject({ models: undefined, limit: { max: 1, windowMs: 60_000 } });
  });

  test('may give one id several keys, and may be an empty list', () => {
    expect(parse([entry('a'), { ...entry('b'), id: 'a' }])).toHaveLength(2);
    expect(parse([])).toEqual([]);
  });

  test('is rejected with all problems at once, by JSON pointer', () => {
    const file = [
      { ...entry('a'), scopes: ['predict', 'write'], model: 'iris' },
      { id: '-', sha256: 'ABC', scopes: [] },
    ];
    expect(problemOf(file).split('; ')).toEqual([
      '/0/model is not a known key',
      'did you mean models?',
      '/0/scopes/1 must be "predict" or "read" or "metrics" or "admin"',
      expect.stringMatching(/^\/1\/id must be up to 64 of the characters/),
      'the name of a client, and not a key',
      '/1/sha256 must be the SHA-256 of the key: 64 hexadecimal digits in lower case',
      '/1/scopes must not be empty',
    ]);
  });

  test.each<[string, unknown, string]>([
    ['is not a list', { a: 1 }, '/ must be an array'],
    ['is empty', '', 'is not valid JSON'],
    ['is truncated', JSON.stringify([entry('a')]).slice(0, 40), 'is not valid JSON'],
    ['has one digest twice', [entry('a'), entry('a'), entry('b')], '/1/sha256 is already in /0'],
    [
      'has two limits for one id',
      [entry('a', { rateLimit: { max: 1 } }), { ...entry('b'), id: 'a' }],
      '/1/rateLimit must be that of /0: keys of one id share one limit',
    ],
    [
      'has two limits on rows for one id',
      [
        entry('a', { rateLimit: { max: 1, rows: 5 } }),
        { ...entry('b', { rateLimit: { max: 1, rows: 6 } }), id: 'a' },
      ],
      '/1/rateLimit must be that of /0: keys of one id share one limit',
    ],
    [
      'has a day that does not exist',
      [entry('a', { expires: '2027-02-29T00:00:00Z' })],
      '/0/expires must be',
    ],
    ['has a time without a zone', [entry('a', { expires: '2027-02-01T00:00:00' })], '/0/expires must be'],
    ['has "*" beside a model', [entry('a', { models: ['*', 'iris'] })], '/0/models must have "*" alone'],
    [
      'has a window without a unit',
      [entry('a', { rateLimit: { max: 1, window: '60' } })],
      '/0/rateLimit/window',
    ],
    ['has a key as an id', [{ ...entry('a'), id: secretOf('a') }], '/0/id must not begin with sdx_'],
  ])('is rejected if it %s', (_, file, problem) => {
    expect(problemOf(file)).toContain(problem);
  });

  test('that is rejected never shows a key or digest in its problem', () => {
    const secret = secretOf('canary');
    const { sha256 } = entry('canary');
    const files: unknown[] = [
      [{ ...entry('a'), sha256: secret }],
      [{ ...entry('a'), key: secret }],
      [{ ...entry('a'), [secret]: 1 }],
      [{ ...entry('a'), scopes: [secret] }],
      [{ ...entry('a'), models: [secret], expires: secret }],
      [{ ...entry('a'), id: secret }],
      [{ ...entry('a'), sha256: sha256.toUpperCase() }],
      [{ ...entry('a'), id: sha256, [sha256]: 1 }],
      secret,
      `[{"id": "a", "sha256": "${sha256}", "scopes": [${secret}]}]`,
      `["${secret}"`,
    ];
    for (const file of files) {
      const problem = problemOf(file);
      expect(problem).not.toBe('');
      expect(problem).not.toMatch(/canary/);
      expect(problem.toLowerCase()).not.toContain(sha256.slice(0, 16));
    }
  });
});
