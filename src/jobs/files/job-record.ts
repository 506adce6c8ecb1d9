import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { replaceFile } from '../../files/replace-file.js';
import { DamagedJobError } from '../queue/refusals.js';
import { ifThere } from './job-folders.js';

/** `job.json`: written when the job is accepted, and never changed. */
const RecordSchema = Type.Object({
  id: Type.String(),
  owner: Type.String(),
  model: Type.String(),
  version: Type.String(),
  identity: Type.String(),
  requestId: Type.String(),
  trace: Type.Optional(Type.Union([Type.String(), Type.Undefined()])),
  acceptedAt: Type.Number(),
  chunks: Type.Array(
    Type.Object({ rows: Type.Integer({ minimum: 1 }), bytes: Type.Integer({ minimum: 1 }) }),
    {
      minItems: 1,
    },
  ),
  /** The file in `keys/`. */
  key: Type.Optional(Type.String()),
});
export type JobRecord = Static<typeof RecordSchema>;

/** `end.json`. */
const EndSchema = Type.Object({
  state: Type.Union([Type.Literal('completed'), Type.Literal('failed'), Type.Literal('cancelled')]),
  endedAt: Type.Number(),
  startedAt: Type.Optional(Type.Number()),
  /** Left out until the folder has been moved if rows lack an answer: a chunk may be answered until then. */
  counts: Type.Optional(
    Type.Object({ completedRows: Type.Integer({ minimum: 0 }), failedRows: Type.Integer({ minimum: 0 }) }),
  ),
  failure: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
});
export type JobEnd = Static<typeof EndSchema>;

/** Undefined if the folder is not there. Throws `DamagedJobError`. */
export async function readRecord(folder: string): Promise<JobRecord | undefined> {
  return await readJson(join(folder, 'job.json'), RecordSchema);
}

export async function writeRecord(folder: string, record: JobRecord): Promise<void> {
  await replaceFile(join(folder, 'job.json'), toBytes(record), 0o600);
}

/** Undefined if the job has not ended. Throws `DamagedJobError`. */
export async function readEnd(folder: string): Promise<JobEnd | undefined> {
  return await readJson(join(folder, 'end.json'), EndSchema);
}

export async function writeEnd(folder: string, end: JobEnd): Promise<void> {
  await replaceFile(join(folder, 'end.json'), toBytes(end), 0o600);
}

async function readJson<T extends typeof RecordSchema | typeof EndSchema>(
  path: string,
  schema: T,
): Promise<Static<T> | undefined> {
  const text = await ifThere(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Value.Check(schema, value)) return value as Static<T>;
  } catch {
    // Reported below.
  }
  throw new DamagedJobError(`${path} is damaged`);
}

function toBytes(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
