import { type Static, Type } from '@sinclair/typebox';
import { ManifestSchema } from '../models/manifest/manifest.js';
import {
  defaultVersion,
  findVersion,
  type ModelState,
  type VersionState,
} from '../models/registry/choose-version.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { findProblem } from '../models/registry/readiness.js';
import { roundMs } from '../time/duration.js';
import { StringEnum } from './string-enum.js';

const loadedMembers = {
  identity: Type.String({ description: 'SHA-256 over the manifest and every digest in it' }),
  task: StringEnum(['classification', 'regression', 'tensor']),
  executor: StringEnum(['inline', 'isolated']),
  executor_reason: Type.String({ description: 'Why the version has this executor' }),
  timestamp: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  metrics: Type.Optional(ManifestSchema.properties.metrics),
  training_samples: Type.Optional(Type.Integer()),
  load_ms: Type.Number({ description: 'Time of the whole load, golden rows included' }),
  open_ms: Type.Number({ description: 'The part of `load_ms` in which the engine opened the model' }),
  run_ms: Type.Optional(Type.Number({ description: 'The fastest warm run of one row' })),
  batch_run_ms: Type.Optional(Type.Number({ description: 'The fastest warm run of a full batch' })),
  batch_rows: Type.Integer({ description: 'The maximum number of rows in one run' }),
  batch_reason: Type.Optional(Type.String({ description: 'Why requests do not share runs' })),
  batch_difference: Type.Optional(
    Type.Union([Type.Number(), Type.Null()], {
      description:
        'The difference between an answer in a shared run and the same answer alone, as a share of the largest value in its column; null for a label',
    }),
  ),
  output_bytes: Type.Integer({ description: 'The size of the output tensors of a full batch' }),
  memory_mb: Type.Number({
    description:
      'For an inline version, the memory that it added to a process; for an isolated one, the memory of its process',
  }),
  fault: Type.Optional(Type.String({ description: 'Why the version cannot run at the moment' })),
  cache: StringEnum(['on', 'aside', 'off'], {
    description:
      'Whether answers are cached. `aside`: only those of a sample of requests, because the cache costs more than it saves at the moment',
  }),
  cache_reason: Type.Optional(
    Type.String({ description: 'Why answers are not cached, or what the cache saves' }),
  ),
  notes: Type.Array(Type.String(), { description: 'Remarks on the version, with what to do about them' }),
  golden_rows: Type.Integer({ description: 'The number of rows of golden.json that the version has passed' }),
};

export interface CacheView {
  stateOf(
    identity: string,
  ): { readonly state: 'in_use' | 'aside'; readonly reason: string | undefined } | undefined;
}

export const VersionSchema = Type.Object(
  {
    version: Type.String(),
    state: StringEnum(['loading', 'ready', 'refused']),
    reason: Type.Optional(Type.String({ description: 'Why the version is refused' })),
    ...Type.Partial(Type.Object(loadedMembers)).properties,
  },
  { $id: 'Version', description: 'A version of a model' },
);

const Alias = Type.Object({ version: Type.String(), problem: Type.Optional(Type.String()) });

export const ModelSchema = Type.Object(
  {
    name: Type.String(),
    default_version: Type.Union([Type.String(), Type.Null()], {
      description: 'The version that answers a request without a version',
    }),
    problem: Type.Optional(
      Type.String({ description: 'Why a request without a version gets no answer, and how to fix that' }),
    ),
    aliases: Type.Record(Type.String(), Alias),
    alias_problem: Type.Optional(Type.String({ description: 'Why aliases.json is not in force' })),
    versions: Type.Array(VersionSchema),
  },
  { $id: 'Model', description: 'A model' },
);

export const ModelListSchema = Type.Object(
  {
    models: Type.Array(ModelSchema),
    alias_problem: Type.Optional(
      Type.String({ description: "Why the registry's own aliases.json is not in force" }),
    ),
  },
  { description: 'Every model of the registry' },
);

export const VersionDetailSchema = Type.Object(
  {
    model: Type.String(),
    ...VersionSchema.properties,
    features: Type.Optional(
      Type.Unsafe({
        type: 'array',
        items: { anyOf: [{ type: 'object' }, { type: 'string' }] },
        description: 'The features, as in the manifest',
      }),
    ),
    output: Type.Optional(Type.Unsafe({ type: 'object' })),
    request_schema: Type.Optional(
      Type.Unsafe({ type: 'object', description: 'The JSON Schema of a request' }),
    ),
    example: Type.Optional(Type.Unsafe({ description: 'A request that this version has answered' })),
    example_problem: Type.Optional(Type.String({ description: 'Why there is no such request' })),
  },
  { $id: 'VersionDetail', description: 'A version in full' },
);

export function toModel(model: ModelState, cache: CacheView | undefined): Static<typeof ModelSchema> {
  const aliases = [...model.aliases].map(([alias, version]) => {
    const state = model.versions.get(version)?.state;
    const problem = state === 'ready' ? undefined : `${version} is ${state ?? 'not there'}`;
    return [alias, { version, ...(problem && { problem }) }] as const;
  });
  const reason = findProblem(model)?.reason;
  return {
    name: model.name,
    default_version: defaultVersion(model) ?? null,
    ...(reason !== undefined && { problem: reason }),
    aliases: Object.fromEntries(aliases),
    ...(model.aliasProblem !== undefined && { alias_problem: model.aliasProblem }),
    versions: [...model.versions].map(([version, state]) => toVersion(version, state, cache)),
  };
}

/** One version in any state, by its name, an alias or `latest`. Throws as `findVersion` does. */
export function toVersionDetail(
  model: ModelState,
  selector: string,
  cache: CacheView | undefined,
): Static<typeof VersionDetailSchema> {
  const { name, state } = findVersion(model, selector);
  const detail = { model: model.name, ...toVersion(name, state, cache) };
  if (state.state !== 'ready') return detail;
  const { manifest, task } = state.loaded;
  return {
    ...detail,
    ...(manifest.features && { features: manifest.features }),
    ...(manifest.output && { output: manifest.output }),
    request_schema: task.requestSchema,
    ...(task.exampleProblem === undefined
      ? { example: task.example }
      : { example_problem: task.exampleProblem }),
  };
}

function toVersion(
  version: string,
  state: VersionState,
  cache: CacheView | undefined,
): Static<typeof VersionSchema> {
  if (state.state !== 'ready') {
    return { version, state: state.state, ...(state.state === 'refused' && { reason: state.reason }) };
  }
  return { version, state: 'ready', ...describeLoaded(state.loaded), ...describeCache(state.loaded, cache) };
}

function describeLoaded({ manifest, identity, executorKind, loadStats, fault }: LoadedVersion) {
  const { task, timestamp, description, metrics, training_samples } = manifest;
  return {
    identity,
    task,
    executor: executorKind,
    executor_reason: loadStats.executorReason,
    ...(timestamp !== undefined && { timestamp }),
    ...(description !== undefined && { description }),
    ...(metrics !== undefined && { metrics }),
    ...(training_samples !== undefined && { training_samples }),
    load_ms: roundMs(loadStats.loadMs),
    open_ms: roundMs(loadStats.openMs),
    ...(Number.isFinite(loadStats.runMs) && { run_ms: roundMs(loadStats.runMs) }),
    ...(loadStats.batchRunMs !== undefined && { batch_run_ms: roundMs(loadStats.batchRunMs) }),
    batch_rows: loadStats.batchRows,
    ...(loadStats.batchReason !== undefined && { batch_reason: loadStats.batchReason }),
    // Infinity: labels, texts or integers differ. JSON cannot hold it.
    ...(loadStats.batchDifference !== undefined && {
      batch_difference: Number.isFinite(loadStats.batchDifference) ? loadStats.batchDifference : null,
    }),
    output_bytes: loadStats.outputBytes,
    memory_mb: Math.round(loadStats.memoryBytes / 104_857.6) / 10,
    ...(fault !== undefined && { fault }),
    notes: [...loadStats.notes],
    golden_rows: loadStats.goldenRows,
  };
}

function describeCache(
  { identity, loadStats: { uncachedReason } }: LoadedVersion,
  cache: CacheView | undefined,
) {
  if (cache === undefined) return { cache: 'off', cache_reason: 'the server runs with CACHE=off' } as const;
  if (uncachedReason !== undefined) return { cache: 'off', cache_reason: uncachedReason } as const;
  const { state, reason } = cache.stateOf(identity) ?? {};
  return { cache: state === 'aside' ? 'aside' : 'on', ...(reason && { cache_reason: reason }) } as const;
}
