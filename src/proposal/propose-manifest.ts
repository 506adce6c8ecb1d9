import type { ModelGraph } from '../inference/graph.js';
import { findValueFault } from '../models/feature-value.js';
import { type Feature, type ManifestFile, RefusedError } from '../models/manifest.js';
import { proposeFeatures } from './propose-features.js';
import { proposeClassification, proposeRegression } from './propose-output.js';
import { guessTask, type TaskName } from './propose-task.js';

/** What the user knows already; everything left out is proposed. */
export interface ProposalRequest {
  readonly name: string;
  readonly version: string;
  readonly timestamp: string;
  readonly task?: TaskName;
  readonly features?: readonly string[];
  readonly classes?: readonly (string | number | boolean)[];
  /** Bodies that the model is known to take: the examples come from them. */
  readonly instances?: readonly unknown[];
  /** Keys of a manifest that win over the proposal. */
  readonly given?: Readonly<Record<string, unknown>>;
}

/** A manifest without its digests, and why it says what it says. */
export interface Proposal {
  readonly manifest: Omit<ManifestFile, 'sha256'>;
  /** What speaks for the task; undefined where it was given. */
  readonly taskReason?: string;
  readonly remarks: readonly string[];
}

/**
 * Proposes a manifest from a graph, and from what the user knows better. `model` are the bytes that the graph was
 * read from. What comes out has not been checked: `loadVersion` does that. Throws `RefusedError` where nothing
 * sensible can be proposed, with what to say.
 */
export function proposeManifest(graph: ModelGraph, model: Uint8Array, request: ProposalRequest): Proposal {
  const { given = {} } = request;
  const hasFeatures = request.features !== undefined || given['features'] !== undefined;
  const guess =
    request.task === undefined && given['task'] === undefined
      ? chooseTask(graph, request, hasFeatures)
      : undefined;
  const task = guess?.task ?? request.task ?? (given['task'] as TaskName);
  const base = { name: request.name, version: request.version, timestamp: request.timestamp, task };
  const reason = guess && { taskReason: guess.why };
  if (task === 'tensor') {
    if (request.features ?? request.classes)
      throw new RefusedError('the task tensor has neither features nor classes');
    return { manifest: { ...base, ...given }, ...reason, remarks: [] };
  }
  const features =
    given['features'] === undefined ? proposeFeatures(graph, request.features, request.instances) : undefined;
  const outputs =
    task === 'regression' ? proposeRegression(graph) : proposeClassification(graph, model, request.classes);
  const seen = valuesByName(request.instances ?? []);
  const manifest = {
    ...base,
    ...(features && {
      features: features.features.map((feature) => withExample(feature, seen.get(feature.name) ?? [])),
    }),
    ...(features?.inputs && { inputs: features.inputs }),
    ...given,
    output: mergeOutput(outputs.output, given['output']),
  };
  return { manifest, ...reason, remarks: [...(features?.remarks ?? []), ...outputs.remarks] };
}

function chooseTask(graph: ModelGraph, request: ProposalRequest, hasFeatures: boolean) {
  if (request.classes !== undefined) return { task: 'classification' as const, why: 'it has classes' };
  return guessTask(graph, hasFeatures);
}

/** Who names one of label and probabilities means that one alone. */
function mergeOutput(
  proposed: NonNullable<ManifestFile['output']>,
  given: unknown,
): NonNullable<ManifestFile['output']> {
  if (!isObject(given)) return proposed;
  const { label: _label, probabilities: _probabilities, activation: _activation, ...rest } = proposed;
  return 'label' in given || 'probabilities' in given ? { ...rest, ...given } : { ...proposed, ...given };
}

/** The values that golden rows have, by feature, in the order of the rows. */
function valuesByName(rows: readonly unknown[]): ReadonlyMap<string, readonly unknown[]> {
  const values = new Map<string, unknown[]>();
  for (const row of rows) {
    for (const [name, value] of isObject(row) ? Object.entries(row) : []) {
      const list = values.get(name) ?? [];
      list.push(value);
      values.set(name, list);
    }
  }
  return values;
}

/** The first value that golden rows have of a feature is its example; one that may be null is nullable. */
function withExample(feature: Feature, values: readonly unknown[]): Feature {
  // What does not fit is left to the check of the golden rows, which says more.
  const example = values.find((value) => value !== null && findValueFault(value, feature) === undefined);
  return {
    ...feature,
    ...(example !== undefined && { example: example as string | number | boolean }),
    ...(values.includes(null) && { nullable: true }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
