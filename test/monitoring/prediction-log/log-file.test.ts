import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogFile } from '../../../src/monitoring/prediction-log/log-file.js';
import { rotateFile, tidyRotatedFiles } from '../../../src/monitoring/prediction-log/rotated-files.js';

let folder: string;
let path: string;
const troubles: unknown[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-prediction-log-'));
  path = join(folder, 'predictions.ndjson');
  troubles.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const openFile = (maxBytes = 1_000_000, maxAgeMs = 0, finishAfterMs?: number) =>
  new LogFile({
    path,
    maxBytes,
    maxAgeMs,
    keep: 3,
    checkEveryMs: 0,
    ...(finishAfterMs !== undefined && { finishAfterMs }),
    onTrouble: (error) => troubles.push(error),
  });
const write = (file: LogFile, text: string) => file.write(Buffer.from(text));
/** The lines of all files of the log, in any order. */
const allLines = () =>
  readdirSync(folder).flatMap((name) => {
    const bytes = readFileSync(join(folder, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n').filter(Boolean);
  });
/** As if the last write was long ago. */
const age = () => {
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), 0, 0);
};

describe('the file of the prediction log', () => {
  test('can be read by its group and by nobody else', async () => {
    const file = openFile();
    await file.open();
    expect(statSync(path).mode & 0o777).toBe(0o640);
    await file.close();
  });

  test('continues an older file, and ends a line that was cut', async () => {
    writeFileSync(path, '{"a":1}\n{"cut');
    const file = openFile();
    await write(file, '{"b":2}\n');
    await file.close();
    expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n{"cut\n{"b":2}\n');
  });

  test('is a new one after another program renamed or removed it', async () => {
    const file = openFile();
    await write(file, '1\n');
    renameSync(path, `${path}.old`);
    await write(file, '2\n');
    rmSync(path);
    await write(file, '3\n');
    await file.close();
    expect([readFileSync(`${path}.old`, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['1\n', '3\n']);
  });

  test.each([
    ['a folder', () => mkdirSync(path), 'is a folder'],
    ['a link', () => symlinkSync('/etc/passwd', path), 'is a symbolic link'],
    ['a pipe', () => execFileSync('mkfifo', [path]), 'is not a regular file'],
    ['in a missing folder', () => rmSync(folder, { recursive: true }), 'create the folder'],
  ])('is refused if it is %s', async (_name, prepare, message) => {
    prepare();
    await expect(openFile().open()).rejects.toThrow(message);
    mkdirSync(folder, { recursive: true });
  });

  test('is rotated at its size, with no line lost by several writers at once', async () => {
    const files = Array.from({ length: 4 }, () => openFile(2_000));
    await Promise.all(
      files.map(async (file, n) => {
        for (let k = 0; k < 100; k += 1)
          await write(file, `{"writer":${n},"k":${k},"pad":"${'x'.repeat(60)}"}\n`);
        await file.close();
      }),
    );
    const lines = allLines().map((line) => JSON.parse(line) as { writer: number; k: number });
    expect(lines).toHaveLength(400);
    expect(new Set(lines.map(({ writer, k }) => `${writer}:${k}`)).size).toBe(400);
    expect(readdirSync(folder).length).toBeGreaterThan(10);
    expect(troubles).toEqual([]);
  });

  test('is rotated at its age', async () => {
    const file = openFile(1_000_000, 1);
    await write(file, '1\n');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await write(file, '2\n');
    await write(file, '3\n');
    await file.close();
    expect(readdirSync(folder).length).toBeGreaterThan(1);
    expect(allLines().sort()).toEqual(['1', '2', '3']);
  });

  test('is rotated by one process only, also if another one was killed in the midst of it', async () => {
    writeFileSync(path, '1\n');
    const stats = statSync(path);
    expect(await rotateFile(path, stats)).toBe('rotated');
    writeFileSync(path, '2\n');
    expect(await rotateFile(path, stats)).toBe('elsewhere');
    expect(readFileSync(path, 'utf8')).toBe('2\n');
    const second = statSync(path);
    expect(await rotateFile(path, second)).toBe('rotated');
    const rotated = readdirSync(folder).sort().at(-1) as string;
    // The killed process had made the second name, and had not removed the first.
    execFileSync('ln', [join(folder, rotated), path]);
    const file = openFile(10, 0, 300);
    // Another process may be between the two steps now. Each write changes the time of the file.
    const started = performance.now();
    let written = 2;
    const writeNext = () => {
      written += 1;
      return write(file, `${written}\n`.padStart(12, ' '));
    };
    while (statSync(path, { throwIfNoEntry: false })?.ino === second.ino && written < 1_000) {
      await writeNext();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(performance.now() - started).toBeGreaterThan(300);
    expect(written).toBeLessThan(1_000);
    await writeNext();
    await file.close();
    const numbers = allLines().map(Number);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: written }, (_, k) => k + 1));
    expect(troubles).toEqual([]);
  });
});

describe('rotated files', () => {
  test('are not compressed while the log has the same file', async () => {
    writeFileSync(path, '1\n');
    execFileSync('ln', [path, `${path}.20261120T000000000Z-1`]);
    age();
    await tidyRotatedFiles(path, 3);
    expect(readdirSync(folder).sort()).toEqual([
      'predictions.ndjson',
      'predictions.ndjson.20261120T000000000Z-1',
    ]);
  });

  test('are compressed, and the oldest ones beyond the limit are removed, and no other file', async () => {
    for (let k = 0; k < 5; k += 1) {
      writeFileSync(`${path}.2026112${k}T000000000Z-${k}`, `{"k":${k}}\n`);
    }
    writeFileSync(`${path}.mine`, 'kept\n');
    writeFileSync(path, 'current\n');
    age();
    await tidyRotatedFiles(path, 3);
    const left = readdirSync(folder).sort();
    expect(left.filter((name) => name.endsWith('.gz'))).toHaveLength(3);
    expect(allLines().sort()).toEqual(['current', 'kept', '{"k":2}', '{"k":3}', '{"k":4}']);
    for (const name of left.filter((it) => it.endsWith('.gz')))
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o640);
  });

  test('are left as they are while another process may write to them or compresses them', async () => {
    const rotated = `${path}.20261120T000000000Z-1`;
    writeFileSync(rotated, '1\n');
    await tidyRotatedFiles(path, 3);
    expect(readdirSync(folder)).toHaveLength(1);
    age();
    writeFileSync(`${rotated}.gz.part`, '');
    await tidyRotatedFiles(path, 3);
    expect(readFileSync(rotated, 'utf8')).toBe('1\n');
    age();
    // That process was killed: its part is removed, and the next pass compresses the file.
    await tidyRotatedFiles(path, 3);
    await tidyRotatedFiles(path, 3);
    expect(readdirSync(folder)).toEqual(['predictions.ndjson.20261120T000000000Z-1.gz']);
    appendFileSync(path, '');
  });
});
