import { readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { codeOf, RefusedError } from '../../../errors.js';
import { replaceFile } from '../../../files/replace-file.js';
import { readStart } from '../../../process/process-life.js';

/** What must be equal for a run to go on where another one stopped. */
const Identity = Type.Object({
  input: Type.String(),
  inputBytes: Type.Number(),
  inputChangedMs: Type.Number(),
  model: Type.String(),
  modelDigest: Type.String(),
  options: Type.String(),
});

const Resume = Type.Object({
  version: Type.Literal(1),
  identity: Identity,
  pid: Type.Integer({ minimum: 1 }),
  /** Tells the process from a later one with the same id. */
  started: Type.Union([Type.String(), Type.Null()]),
  host: Type.String(),
  rows: Type.Integer({ minimum: 0 }),
  bytes: Type.Integer({ minimum: 0 }),
  columns: Type.Union([Type.Array(Type.String()), Type.Null()]),
  failures: Type.Object({ count: Type.Integer({ minimum: 0 }), reasons: Type.Array(Type.String()) }),
  state: Type.Unknown(),
});

export type RunIdentity = Static<typeof Identity>;
/** How far a run has come: the rows whose output is in the first `bytes` of the part. */
export interface ResumePoint {
  readonly rows: number;
  readonly bytes: number;
  /** The columns that rows carry over, if they are fixed. */
  readonly columns: readonly string[] | null;
  readonly failures: { readonly count: number; readonly reasons: readonly string[] };
  readonly state: unknown;
}

const subjects: Readonly<Record<keyof RunIdentity, string>> = {
  input: 'the input is another file',
  inputBytes: 'the input has changed',
  inputChangedMs: 'the input has changed',
  model: 'the model or its version is another one',
  modelDigest: 'the version of the model has other files',
  options: 'the options are others',
};

export interface ResumeFile {
  /** Where an earlier run stopped; undefined if there was none. Throws `RefusedError` if this run cannot go on there. */
  read(): Promise<ResumePoint | undefined>;
  write(point: ResumePoint): Promise<void>;
  remove(): Promise<void>;
}

/** The file beside `part` that says how far a run has come. It is replaced atomically, after the part is on the disk. */
export function createResumeFile(part: string, identity: RunIdentity): ResumeFile {
  const path = `${part}.json`;
  const startAnew = '--restart begins anew';
  let started: ReturnType<typeof readStart> | undefined;
  return {
    async read() {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      });
      const hasPart = await stat(part).then(
        (it) => it.size,
        () => undefined,
      );
      if (text === undefined) {
        if (hasPart === undefined) return undefined;
        throw new RefusedError(`${part} is there without ${path}: remove it, or ${startAnew}`);
      }
      const found = parse(text);
      if (found === undefined) throw new RefusedError(`${path} cannot be read: ${startAnew}`);
      if (found.pid !== process.pid && found.host === hostname() && (await isRunning(found))) {
        throw new RefusedError(
          `${part} may be in use by process ${found.pid}: end that process, or ${startAnew}`,
        );
      }
      if (found.rows === 0) return undefined;
      const names = Object.keys(subjects) as (keyof RunIdentity)[];
      const other = names.find((name) => found.identity[name] !== identity[name]);
      if (other !== undefined) {
        const remedy = `run the command that began it, or ${startAnew}`;
        throw new RefusedError(`${part} cannot be completed, since ${subjects[other]}: ${remedy}`);
      }
      if (found.bytes > (hasPart ?? 0)) {
        throw new RefusedError(`${part} is shorter than ${path} says: ${startAnew}`);
      }
      return found;
    },
    async write(point) {
      started ??= readStart(process.pid);
      const writer = { pid: process.pid, started: (await started) ?? null, host: hostname() };
      const whole = { version: 1, identity, ...writer, ...point };
      await replaceFile(path, Buffer.from(`${JSON.stringify(whole)}\n`), 0o644);
    },
    remove: () => rm(path, { force: true }),
  };
}

async function isRunning({ pid, started }: Static<typeof Resume>): Promise<boolean> {
  const found = await readStart(pid);
  return found !== undefined && (found === null || found === started);
}

function parse(text: string): Static<typeof Resume> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(Resume, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
