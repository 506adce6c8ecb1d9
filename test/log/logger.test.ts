import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { countLostLines, reopenLog } from '../../src/log/destination.js';
import { createLogger } from '../../src/log/logger.js';

const { O_RDONLY, O_NONBLOCK, O_WRONLY } = constants;
const patience = { timeout: 20_000, interval: 10 };
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-log-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly msg: string;
  readonly lines?: number;
}

/** A named pipe that is read only on `read()`. */
function createPipe(name: string) {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  let reader = openSync(path, O_RDONLY | O_NONBLOCK);
  let text = '';
  const buffer = Buffer.alloc(1_048_576);
  return {
    writer: openSync(path, O_WRONLY),
    read(): readonly Line[] {
      try {
        for (let n = readSync(reader, buffer); n > 0; n = readSync(reader, buffer)) {
          text += buffer.toString('utf8', 0, n);
        }
      } catch {
        // The pipe is empty.
      }
      return parse(text);
    },
    leave: () => closeSync(reader),
    comeBack() {
      reader = openSync(path, O_RDONLY | O_NONBLOCK);
    },
  };
}

const parse = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('a log', () => {
  test('whose reader is stalled never blocks, and later reports the number of lost lines', async () => {
    const pipe = createPipe('stalled');
    const before = countLostLines();
    const logger = createLogger('info', { worker: 3 }, pipe.writer);
    const count = 40_000;
    const memory = process.memoryUsage();
    for (let k = 0; k < count; k += 1) logger.info({ k, filler: 'x'.repeat(200) }, 'line');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { external, arrayBuffers } = process.memoryUsage();
    expect(arrayBuffers + external - memory.arrayBuffers - memory.external).toBeLessThan(12 * 1_048_576);
    const lost = countLostLines() - before;
    expect(lost).toBeGreaterThan(10_000);
    await vi.waitUntil(() => pipe.read().some(({ lines }) => lines !== undefined), patience);
    logger.info('after');
    await vi.waitUntil(() => pipe.read().at(-1)?.msg === 'after', patience);
    const all = pipe.read();
    expect(all.filter(({ msg }) => msg === 'line')).toHaveLength(count - lost);
    // The lines are in order, and the report stands in the place of the lost ones.
    expect(all.at(-2)).toMatchObject({ level: 40, worker: 3, lines: lost });
    expect(all.every((line) => (line as { worker?: number }).worker === 3)).toBe(true);
    expect(all).toHaveLength(count - lost + 2);
  });

  test('whose reader leaves loses lines, and continues once a reader is back', async () => {
    const pipe = createPipe('left');
    const before = countLostLines();
    const logger = createLogger('info', {}, pipe.writer);
    logger.info('before');
    await vi.waitUntil(() => pipe.read().length === 1, patience);
    pipe.leave();
    logger.info('lost 1');
    logger.info('lost 2');
    await vi.waitUntil(() => countLostLines() === before + 2, patience);
    pipe.comeBack();
    // The report needs no further line: it is written as soon as the pipe has a reader.
    await vi.waitUntil(() => pipe.read().some(({ lines }) => lines === 2), patience);
    logger.info('after');
    await vi.waitUntil(() => pipe.read().at(-1)?.msg === 'after', patience);
    expect(pipe.read().map(({ msg }) => msg)).toEqual(['before', expect.stringContaining('lost'), 'after']);
  });

  test('on a full device loses its lines after a second try, and throws nothing', async () => {
    const before = countLostLines();
    const logger = createLogger('info', {}, openSync('/dev/full', O_WRONLY));
    for (let k = 0; k < 50; k += 1) logger.info('line');
    logger.fatal('the last');
    expect(countLostLines()).toBe(before);
    await vi.waitUntil(() => countLostLines() === before + 51, patience);
  });

  test('to a renamed file continues in a new file with the mode of the old one', async () => {
    const path = join(folder, 'renamed.log');
    const logger = createLogger('info', {}, openSync(path, 'a', 0o640));
    for (let k = 0; k < 1_000; k += 1) logger.info({ k }, 'line');
    await vi.waitUntil(() => readLines(path).length === 1_000, patience);
    renameSync(path, `${path}.1`);
    for (let k = 1_000; k < 1_500; k += 1) logger.info({ k }, 'line');
    await vi.waitUntil(() => readLines(`${path}.1`).length === 1_500, patience);
    expect(existsSync(path)).toBe(false);
    for (let k = 1_500; k < 1_600; k += 1) logger.info({ k }, 'line');
    reopenLog();
    for (let k = 1_600; k < 2_000; k += 1) logger.info({ k }, 'line');
    await vi.waitUntil(() => readLines(path).length + readLines(`${path}.1`).length === 2_000, patience);
    expect(readLines(path).length).toBeGreaterThanOrEqual(400);
    const mode = execFileSync('stat', ['-c', '%a', path], { encoding: 'utf8' }).trim();
    expect(mode).toBe((0o640 & ~process.umask()).toString(8));
    const order = [...readLines(`${path}.1`), ...readLines(path)].map((line) => (line as { k?: number }).k);
    expect(order).toEqual(Array.from({ length: 2_000 }, (_unused, k) => k));
  });

  test('that cannot be reopened stays in the old file, and logs the error there', async () => {
    const path = join(folder, 'gone', 'kept.log');
    execFileSync('mkdir', [join(folder, 'gone')]);
    const logger = createLogger('info', {}, openSync(path, 'a'));
    const moved = join(folder, 'moved');
    renameSync(join(folder, 'gone'), moved);
    reopenLog();
    logger.info('after');
    await vi.waitUntil(() => readLines(join(moved, 'kept.log')).length === 2, patience);
    const [failure] = readLines(join(moved, 'kept.log'));
    expect(failure).toMatchObject({ level: 50, path, err: { code: 'ENOENT' } });
  });
});

const readLines = (path: string): Line[] => parse(readFileSync(path, 'utf8'));
