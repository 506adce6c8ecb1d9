import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addEnvFile } from '../../src/config/env-file.js';
import { ConfigError } from '../../src/errors.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-env-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Returns the values that a settings file with this text adds, and its doubtful lines. */
function read(text: string, environment: Record<string, string | undefined> = {}) {
  const file = join(folder, 'settings');
  writeFileSync(file, text);
  const doubts = addEnvFile(Object.assign(environment, { ENV_FILE: file }));
  const { ENV_FILE: _, ...values } = environment;
  return { values, lines: doubts.map(({ line, problem }) => [line, problem]) };
}

test.each([
  ['a plain value', 'PORT=1\n', { PORT: '1' }],
  ['blanks and a comment', '# a\n\n  PORT = 1 # b\n', { PORT: '1' }],
  ['quotes', `A='x # y'\nB="two words"\nC='a"b'`, { A: 'x # y', B: 'two words', C: 'a"b' }],
  ['an empty value', 'A=\nB=2', { A: '', B: '2' }],
  ['export, as in a shell', 'export A=1', { A: '1' }],
  ['several lines in quotes', 'A="1\nB=2\n"\nC=3', { A: '1\nB=2\n', C: '3' }],
  ['a byte order mark, and line ends of Windows', '\uFEFFA=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ['an = in a value', 'REDIS_URL=redis://h/?a=b', { REDIS_URL: 'redis://h/?a=b' }],
])('a settings file may have %s', (_name, text, expected) => {
  expect(read(text)).toEqual({ values: expected, lines: [] });
});

test('a variable of the environment overrides the settings file, even if it is empty', () => {
  expect(read('A=1\nB=2\nC=3', { A: 'real', B: '' }).values).toEqual({ A: 'real', B: '', C: '3' });
});

test('a line that is no setting is reported, and the line after it is read', () => {
  const { values, lines } = read('A=1\nnonsense\nB=2\n=3\nC=4\n1D=5\nE F=6\nG=7');
  expect(values).toEqual({ A: '1', B: '2', C: '4', G: '7' });
  expect(lines).toEqual(
    [2, 4, 6, 7].map((line) => [line, 'it is ignored: it is not of the form NAME=value']),
  );
});

test('a quote that is never closed is reported, and the next line is read', () => {
  const { values, lines } = read('A="1\nB=2');
  expect(values).toEqual({ B: '2' });
  expect(lines).toEqual([[1, 'it is ignored: the quote " is never closed']]);
});

test('a value that is cut at a # is reported', () => {
  const { values, lines } = read('A=pass#word');
  expect(values).toEqual({ A: 'pass' });
  expect(lines).toEqual([[1, 'its value ends before the #: put the value in quotes']]);
});

test('a file that ENV_FILE names must exist and be a file', () => {
  const file = join(folder, 'nope');
  expect(() => addEnvFile({ ENV_FILE: file })).toThrow(
    new ConfigError([`ENV_FILE: ${file} cannot be read (ENOENT)`]),
  );
  expect(() => addEnvFile({ ENV_FILE: folder })).toThrow(
    new ConfigError([`ENV_FILE: ${folder} cannot be read (EISDIR)`]),
  );
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(() => addEnvFile({ ENV_FILE: pipe })).toThrow(
    new ConfigError([`ENV_FILE: ${pipe} is a pipe: name a file`]),
  );
});

test('.env may be missing, or be a folder', () => {
  const before = process.cwd();
  process.chdir(folder);
  try {
    const environment = {};
    expect(addEnvFile(environment)).toEqual([]);
    mkdirSync('.env');
    expect(addEnvFile(environment)).toEqual([]);
    expect(environment).toEqual({});
  } finally {
    process.chdir(before);
  }
});
