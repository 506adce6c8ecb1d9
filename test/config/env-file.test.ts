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

/** What a file of this text adds to an environment, and what is doubtful of it. */
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
  ['export, as a shell has it', 'export A=1', { A: '1' }],
  ['several lines in quotes', 'A="1\nB=2\n"\nC=3', { A: '1\nB=2\n', C: '3' }],
  ['a mark of the byte order, and lines of Windows', '\uFEFFA=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ['an = within a value', 'REDIS_URL=redis://h/?a=b', { REDIS_URL: 'redis://h/?a=b' }],
])('a file of settings may have %s', (_name, text, expected) => {
  expect(read(text)).toEqual({ values: expected, lines: [] });
});

test('a variable that is set wins, also where it is empty', () => {
  expect(read('A=1\nB=2\nC=3', { A: 'real', B: '' }).values).toEqual({ A: 'real', B: '', C: '3' });
});

test('a line that is no setting is told, and the line behind it is read', () => {
  const { values, lines } = read('A=1\nnonsense\nB=2\n=3\nC=4\n1D=5\nE F=6\nG=7');
  expect(values).toEqual({ A: '1', B: '2', C: '4', G: '7' });
  expect(lines).toEqual([2, 4, 6, 7].map((line) => [line, 'it is no NAME=value, and is not read']));
});

test('a quotation mark without a second one is told, and what follows is read', () => {
  const { values, lines } = read('A="1\nB=2');
  expect(values).toEqual({ B: '2' });
  expect(lines).toEqual([[1, 'its " has no second one, and it is not read']]);
});

test('a value that ends before a # is told', () => {
  const { values, lines } = read('A=pass#word');
  expect(values).toEqual({ A: 'pass' });
  expect(lines).toEqual([[1, 'its value ends before the #: put it in quotes']]);
});

test('a file that is named must be there', () => {
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

test('.env need not be there, and may be a folder', () => {
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
