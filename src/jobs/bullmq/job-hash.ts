import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { toErrorCode } from '../../errors.js';
import type { Job, JobFailure, JobSpec, JobState } from '../queue/job.js';
import { DamagedJobError } from '../queue/refusals.js';
import { listOf, type Reply, textOf } from './scripts/run-script.js';

const RecordSchema = Type.Object({
  owner: Type.String(),
  model: Type.String(),
  version: Type.String(),
  identity: Type.String(),
  requestId: Type.String(),
  trace: Type.Optional(Type.String()),
});

const FailureSchema = Type.Object({ code: Type.String(), detail: Type.String() });

const HashSchema = Type.Object({
  record: RecordSchema,
  chunks: Type.Array(Type.Tuple([Type.Integer({ minimum: 1 }), Type.Integer({ minimum: 1 })]), {
    minItems: 1,
  }),
  state: Type.Union(
    (['queued', 'running', 'completed', 'failed', 'cancelled'] satisfies JobState[]).map((it) =>
      Type.Literal(it),
    ),
  ),
  acceptedAt: Type.Number(),
  startedAt: Type.Optional(Type.Number()),
  endedAt: Type.Optional(Type.Number()),
  completed: Type.Integer(),
  failed: Type.Integer(),
  answered: Type.Integer(),
  failure: Type.Optional(FailureSchema),
});
type JobHash = Static<typeof HashSchema>;

/** The failure of a job whose bytes Redis has removed. */
export const lostFailure: JobFailure = {
  code: 'internal',
  detail:
    'Redis has removed rows or results of the job: it evicts keys, or was emptied. Submit the rows again.',
};

export function toRecord({ owner, model, version, identity, requestId, trace }: JobSpec): string {
  return JSON.stringify({ owner, model, version, identity, requestId, trace });
}

/** Throws `DamagedJobError`. */
export function readRecord(text: string): JobSpec {
  const value = parse(text);
  if (Value.Check(RecordSchema, value)) return value;
  throw new DamagedJobError('the record of a job in Redis is damaged');
}

/** The job of a reply of `findScript`; undefined if it is not there. Throws `DamagedJobError`. */
export function readJob(id: string, reply: Reply | undefined): Job | undefined {
  const [pairs, stored] = listOf(reply);
  const fields = new Map<string, string>();
  const flat = listOf(pairs);
  for (let k = 0; k + 1 < flat.length; k += 2) fields.set(textOf(flat[k]), textOf(flat[k + 1]));
  if (fields.size === 0) return undefined;
  const hash: unknown = {};
  for (const name of Object.keys(HashSchema.properties)) {
    const text = fields.get(name);
    if (text !== undefined) Object.assign(hash as object, { [name]: name === 'state' ? text : parse(text) });
  }
  if (!Value.Check(HashSchema, hash)) throw new DamagedJobError(`the job ${id} in Redis is damaged`);
  return toJob(id, hash, Number(stored));
}

function toJob(id: string, hash: JobHash, stored: number): Job {
  const isLost = hash.state === 'completed' && stored < hash.answered;
  const failure = isLost ? lostFailure : hash.failure && toFailure(hash.failure);
  return {
    ...hash.record,
    id,
    state: isLost ? 'failed' : (hash.state as JobState),
    acceptedAt: hash.acceptedAt,
    startedAt: hash.startedAt,
    endedAt: hash.endedAt,
    chunks: hash.chunks.map(([rows, bytes]) => ({ rows, bytes })),
    completedRows: hash.completed,
    failedRows: hash.failed,
    failure,
  };
}

function toFailure({ code, detail }: Static<typeof FailureSchema>): JobFailure {
  return { code: toErrorCode(code), detail };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
