import { chmod, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeyRing } from '../../../src/auth/key-ring.js';
import { parseKeyEntries, toApiKey } from '../../../src/auth/keys-file.js';
import { runCli } from '../../../src/cli/run-cli.js';
import { entry } from '../../helpers/keys.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A fixed time: keys that expire later stay valid in these tests. */
const now = () => new Date('2026-11-26T12:00:00Z');

async function run(...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli(['keys', ...argv], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { API_KEYS_FILE: path },
    now,
  });
  return { code, out, err };
}

const readEntries = async () => parseKeyEntries(await readFile(path));
const ringOf = async () => new KeyRing((await readEntries()).map(toApiKey), () => now().getTime());

describe('keys create', () => {
  test('prints only the key, and stores only its digest in a file that only the owner can read', async () => {
    const { code, out, err } = await run('create', 'service-a');
    expect(code).toBe(0);
    expect(out).toMatch(/^sdx_[\w-]{43}\n$/);
    const key = out.trim();
    expect((await ringOf()).verify(key)).toMatchObject({
      id: 'service-a',
      scopes: new Set(['predict', 'read']),
    });
    const text = await readFile(path, 'utf8');
    expect(text + err).not.toContain(key.slice(4));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['keys.json']);
  });

  test('names the folder if it does not exist', async () => {
    const { code, err } = await run('create', 'a', '--file', join(folder, 'nowhere/keys.json'));
    expect(err).toContain(
      `the folder ${join(folder, 'nowhere')} does not exist: create it, or name another file with --file`,
    );
    expect(code).toBe(1);
  });

  test('stores scopes, models, a limit and an expiry', async () => {
    const options = ['--scopes', 'admin,metrics', '--models', 'a,b', '--max', '1000', '--expires', '90d'];
    expect((await run('create', 'a', ...options)).code).toBe(0);
    await run('create', 'b', '--max', '5', '--window', '30 seconds', '--expires', '2027-01-01');
    expect(await readEntries()).toMatchObject([
      {
        scopes: ['admin', 'metrics'],
        models: ['a', 'b'],
        rateLimit: { max: 1_000, window: '1 minute' },
        expires: '2027-02-24T12:00:00Z',
      },
      { rateLimit: { max: 5, window: '30 seconds' }, expires: '2027-01-01T00:00:00Z' },
    ]);
  });

  test('stores a limit on rows, shows it, and gives it to the next key of the ID', async () => {
    const first = await run('create', 'a', '--max', '5', '--rows', '7000', '--window', '30 seconds');
    expect(first.err).toContain('limit 5 and 7000 rows in 30 seconds');
    expect((await run('create', 'a')).code).toBe(0);
    const rateLimit = { max: 5, rows: 7_000, window: '30 seconds' };
    expect(await readEntries()).toMatchObject([{ rateLimit }, { rateLimit }]);
    const key = (await ringOf()).verify(first.out.trim());
    expect([key?.limit, key?.rowLimit]).toEqual([
      { max: 5, windowMs: 30_000 },
      { max: 7_000, windowMs: 30_000 },
    ]);
    const other = await run('create', 'a', '--max', '5', '--rows', '7001', '--window', '30 seconds');
    expect(other.err).toContain('all keys of an ID share one');
  });

  test('gives a second key of an ID the rights of the first, and both keys are valid', async () => {
    const first = await run(
      'create',
      'a',
      '--scopes',
      'read',
      '--models',
      'm',
      '--max',
      '9',
      '--expires',
      '1d',
    );
    const second = await run('create', 'a');
    expect(second.err).toContain('a now has 2 keys');
    const [one, two] = await readEntries();
    expect(two).toMatchObject({ scopes: ['read'], models: ['m'], rateLimit: one?.rateLimit });
    expect(two?.expires).toBe(undefined);
    const ring = await ringOf();
    for (const { out } of [first, second]) expect(ring.verify(out.trim())?.id).toBe('a');
    const third = await run('create', 'a', '--max', '10');
    expect(third).toMatchObject({ code: 1, out: '' });
    expect(third.err).toContain('all keys of an ID share one');
  });

  test.each([
    [['create'], 'the ID is missing'],
    [['create', '-x'], 'is not an option'],
    [['create', 'a b'], 'the ID must be'],
    [['create', 'sdx_abc'], 'the ID must be'],
    [
      ['create', 'a', '--scopes', 'predicts'],
      'is not one of predict, read, metrics, admin; did you mean predict?',
    ],
    [['create', 'a', '--models', 'A'], 'A is not the name of a model'],
    [['create', 'a', '--max', '1.5'], '--max takes a whole number'],
    [['create', 'a', '--window', '1 minute'], '--window needs --max'],
    [['create', 'a', '--rows', '5'], '--rows needs --max'],
    [['create', 'a', '--max', '1', '--rows', '0'], '--rows takes a whole number from 1'],
    [['create', 'a', '--max', '1', '--rows', '1e3'], '--rows takes a whole number from 1'],
    [['create', 'a', '--max', '1', '--window', '60'], '--window takes a time such as'],
    [['create', 'a', '--expires', 'soon'], '--expires takes a number of days'],
    [['create', 'a', '--expires', '2026-02-30'], '--expires takes'],
    [['create', 'a', '--expires', '2026-01-01'], '--expires is in the past'],
    [['create', 'a', '--all'], '--all is not an option of keys create'],
    [['make', 'a'], 'make is not create, list or revoke'],
    [['list', 'a'], 'a is one argument too many'],
    [[], 'create, list or revoke is missing'],
  ])('%j is wrong usage', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(await readdir(folder)).toEqual([]);
  });

  test('fails with the option and the variable if no file is named', async () => {
    let err = '';
    const sink = { write: () => true };
    const code = await runCli(['keys', 'list'], {
      stdout: sink,
      stderr: { write: (text) => (err += text) },
      env: {},
    });
    expect(code).toBe(2);
    expect(err).toContain('give --file PATH, or set API_KEYS_FILE');
  });
});

describe('the file', () => {
  test('keeps its mode, and stays a link if it is one', async () => {
    const real = join(folder, 'real.json');
    await writeFile(real, JSON.stringify([entry('a')]));
    await chmod(real, 0o640);
    await symlink('real.json', path);
    expect((await run('create', 'b')).code).toBe(0);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect((await stat(real)).mode & 0o777).toBe(0o640);
    expect((await readEntries()).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test.each(['[{"id": "a"', '[{"id": "a"}]', ''])(
    'is never overwritten if it is invalid: %j',
    async (text) => {
      await writeFile(path, text);
      for (const argv of [['create', 'b'], ['revoke', 'a'], ['list']]) {
        const { code, out, err } = await run(...argv);
        expect({ code, out }).toEqual({ code: 1, out: '' });
        expect(err).toMatch(/keys\.json was not changed: /);
      }
      expect(await readFile(path, 'utf8')).toBe(text);
      expect(await readdir(folder)).toEqual(['keys.json']);
    },
  );

  test('keeps every key of parallel commands', async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, (_, k) => run('create', `c${k}`)));
    expect(runs.map(({ code }) => code)).toEqual(runs.map(() => 0));
    const ring = await ringOf();
    expect(runs.map(({ out }) => ring.verify(out.trim())?.id)).toEqual(runs.map((_, k) => `c${k}`));
  });

  test('is not written while the lock of an ended process exists, and the error names the lock', async () => {
    const { hostname } = await import('node:os');
    // Above the largest process id of Linux.
    await writeFile(`${path}.lock`, `4194305 ${hostname()}\n`);
    const { code, err } = await run('create', 'a');
    expect(code).toBe(1);
    expect(err).toMatch(
      /keys\.json\.lock is left over from process 4194305 on .*, which has ended: remove it/,
    );
    expect(await readdir(folder)).toEqual(['keys.json.lock']);
  });
});

describe('keys revoke', () => {
  test('removes the only key of an ID', async () => {
    const { out } = await run('create', 'a');
    await run('create', 'b');
    expect(await run('revoke', 'a')).toMatchObject({ code: 0, out: '' });
    expect((await readEntries()).map(({ id }) => id)).toEqual(['b']);
    expect((await ringOf()).verify(out.trim())).toBe(undefined);
  });

  test('lists several keys of an ID, and removes the chosen key or all', async () => {
    await run('create', 'a', '--expires', '2027-01-01');
    await run('create', 'a');
    await run('create', 'a');
    const [first, second] = await readEntries();
    const asked = await run('revoke', 'a');
    expect(asked.code).toBe(1);
    expect(asked.err).toContain(`${first?.sha256.slice(0, 12)} (expires 2027-01-01T00:00:00Z)`);
    expect(asked.err).toContain(`${second?.sha256.slice(0, 12)} (expires never)`);
    expect(await readEntries()).toHaveLength(3);
    expect((await run('revoke', 'a', '--sha256', second?.sha256.slice(0, 12) as string)).code).toBe(0);
    expect((await readEntries()).map(({ sha256 }) => sha256)).not.toContain(second?.sha256);
    expect((await run('revoke', 'a', '--all')).code).toBe(0);
    expect(await readEntries()).toEqual([]);
  });

  test.each([
    [['revoke', 'b'], 1, 'b has no key in'],
    [['revoke', 'a', '--sha256', '0000'], 1, 'a has no key whose digest begins with 0000'],
    [['revoke', 'a', '--sha256', 'xyz'], 2, '--sha256 takes'],
    [['revoke', 'a', '--sha256', 'abcd', '--all'], 2, 'not both'],
  ])('%j fails and changes nothing', async (argv, code, message) => {
    await writeFile(path, JSON.stringify([entry('a')]));
    const result = await run(...argv);
    expect(result.code).toBe(code);
    expect(result.err).toContain(message);
    expect(await readEntries()).toHaveLength(1);
  });
});

describe('keys list', () => {
  test('prints one line per key, without whole digests', async () => {
    await writeFile(
      path,
      JSON.stringify([
        entry('a', { scopes: ['predict', 'read'], models: ['iris'], rateLimit: { max: 5 } }),
        entry('b', { expires: '2026-01-01T00:00:00Z' }),
      ]),
    );
    const { out } = await run('list');
    const [head, a, b] = out.split('\n').map((line) => line.split(/ {2,}/));
    expect(head).toEqual(['id', 'sha256', 'scopes', 'models', 'limit', 'expires']);
    expect(a).toEqual([
      'a',
      entry('a').sha256.slice(0, 12),
      'predict,read',
      'iris',
      '5 in 1 minute',
      'never',
    ]);
    expect(b?.at(-1)).toBe('2026-01-01T00:00:00Z (expired)');
    expect(out).not.toContain(entry('a').sha256);
  });

  test('prints the entries as JSON', async () => {
    await writeFile(path, JSON.stringify([entry('a')]));
    expect(JSON.parse((await run('list', '--json')).out)).toEqual([entry('a')]);
  });

  test('reports that there are no keys', async () => {
    expect((await run('list')).out).toContain(`there is no key in ${path}: the file does not exist`);
    await writeFile(path, '[]');
    expect((await run('list')).out).toBe(`there is no key in ${path}\n`);
  });
});
