import { readFile, rm, stat } from 'node:fs/promises';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { codeOf, RefusedError } from '../../../errors.js';
import { ownMark, stateOf } from '../../../files/file-owner.js';
import { replaceFile } from '../../../files/replace-file.js';

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
  /** The process that writes the part: a `ProcessMark`. */
  process: Type.Object({
    machine: Type.String(),
    pid: Type.Integer({ minimum: 1 }),
    start: Type.Optional(Type.String()),
  }),
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

const subjects: Readonly<Record<Exclude<keyof RunIdentity, 'options'>, string>> = {
  input: 'the input is another file',
  inputBytes: 'the input has changed',
  inputChangedMs: 'the input has changed',
  model: 'the model or its version is another one',
  modelDigest: 'the version of the model has other files',
};

export interface ResumeFile {
  /** Where an earlier run stopped; undefined if there was none. Throws `RefusedError` if this run cannot go on there. */
  read(): Promise<ResumePoint | undefined>;
  write(point: ResumePoint): Promise<void>;
  remove(): Promise<void>;
}

const pointOf = (part: string) => `${part}.json`;

/** Throws `RefusedError` if the process that writes `part` is alive on this machine. */
export async function refuseInUse(part: string): Promise<void> {
  const path = pointOf(part);
  const found = parse((await readText(path)) ?? '');
  if (found === undefined || found.process.pid === process.pid || stateOf(found.process) !== 'alive') return;
  const remedy = `end that process, or remove ${part} and ${path} if it does something else`;
  throw new RefusedError(`${part} is in use by process ${found.process.pid}: ${remedy}`);
}

/** The file beside `part` that says how far a run has come. It is replaced atomically, after the part is on the disk. */
export function createResumeFile(part: string, identity: RunIdentity): ResumeFile {
  const path = pointOf(part);
  const startAnew = '--restart begins anew';
  return {
    async read() {
      const text = await readText(path);
      const bytes = await stat(part).then(
        (it) => it.size,
        () => undefined,
      );
      // A run that was killed after it had renamed its part leaves a point that says nothing.
      if (bytes === undefined) return undefined;
      if (text === undefined) {
        throw new RefusedError(`${part} is there without ${path}: remove it, or ${startAnew}`);
      }
      const found = parse(text);
      if (found === undefined) throw new RefusedError(`${path} cannot be read: ${startAnew}`);
      if (found.rows === 0) return undefined;
      const reason = describeOther(found.identity, identity);
      if (reason !== undefined) {
        const remedy = `run the command that began it, or ${startAnew}`;
        throw new RefusedError(`${part} cannot be completed, since ${reason}: ${remedy}`);
      }
      if (found.bytes > bytes) {
        throw new RefusedError(`${part} is shorter than ${path} says: ${startAnew}`);
      }
      return found;
    },
    async write(point) {
      const whole = { version: 1, identity, process: ownMark(), ...point };
      await replaceFile(path, Buffer.from(`${JSON.stringify(whole)}\n`), 0o644);
    },
    remove: () => rm(path, { force: true }),
  };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Why a run cannot go on where an earlier one stopped; undefined if it can. */
function describeOther(earlier: RunIdentity, now: RunIdentity): string | undefined {
  const names = Object.keys(subjects) as (keyof typeof subjects)[];
  const other = names.find((name) => earlier[name] !== now[name]);
  if (other !== undefined) return subjects[other];
  if (earlier.options === now.options) return undefined;
  return `its options were ${earlier.options}, and those of this command are ${now.options}`;
}

function parse(text: string): Static<typeof Resume> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(Resume, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
