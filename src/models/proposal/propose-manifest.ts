import { RefusedError } from '../../errors.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { isObject } from '../../text/describe-value.js';
import { findValueFault } from '../manifest/feature-value.js';
import type { Feature, ManifestFile } from '../manifest/manifest.js';
import type { WantedOutputs } from './choose-output.js';
import { proposeFeatures } from './propose-features.js';
import { type OutputWishes, proposeClassification, proposeRegression } from './propose-output.js';
import { guessTask, type TaskName } from './propose-task.js';

/** What the user has said. Everything else is proposed. */
export interface ProposalRequest {
  readonly name: string;
  readonly version: string;
  readonly timestamp: string;
  readonly task?: TaskName;
  readonly features?: readonly string[];
  readonly classes?: readonly (string | number | boolean)[];
  readonly outputs?: WantedOutputs;
  /** Names of the columns of a regression. */
  readonly names?: readonly string[];
  /** Bodies of golden rows, from which the examples are taken. */
  readonly instances?: readonly unknown[];
  /** Keys of a manifest that override the proposal. */
  readonly given?: Readonly<Record<string, unknown>>;
}

/** A manifest without its digests, and the reasons for its guesses. */
export interface Proposal {
  readonly manifest: Omit<ManifestFile, 'sha256'>;
  /** Why this task was guessed; undefined if the user named it. */
  readonly taskReason?: string;
  readonly notes: readonly string[];
}

/**
 * Proposes a manifest from a graph and the user's request. `model` are the bytes of the graph. The proposal is not
 * checked: a load does that. Throws `RefusedError`, with the option to add, if the request leaves a choice open.
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
    return { manifest: { ...base, ...given }, ...reason, notes: describeZipMaps(graph) };
  }
  const features =
    given['features'] === undefined ? proposeFeatures(graph, request.features, request.instances) : undefined;
  const wishes = readWishes(request);
  const outputs =
    task === 'regression' ? proposeRegression(graph, wishes) : proposeClassification(graph, model, wishes);
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
  const served = Object.values(manifest.output);
  const notes = [...describeZipMaps(graph, served), ...(features?.notes ?? []), ...outputs.notes];
  return { manifest, ...reason, notes };
}

/** A sentence about the tensors that are served in place of ZipMaps. `served`: the outputs of the manifest. */
function describeZipMaps({ zipMaps }: ModelGraph, served?: readonly unknown[]): readonly string[] {
  const outputs = [...(zipMaps?.keys() ?? [])].filter((name) => served?.includes(name) ?? true);
  if (outputs.length === 0) return [];
  return [
    outputs.length === 1
      ? `the graph ends in a ZipMap: the input of the ZipMap is served as ${outputs[0]}`
      : `the graph ends in ZipMaps: the inputs of the ZipMaps are served as ${outputs.join(', ')}`,
  ];
}

/** The user's wishes for the outputs. A manifest that names only one of label and probabilities excludes the other. */
function readWishes({ classes, names, outputs, given = {} }: ProposalRequest): OutputWishes {
  const own = isObject(given['output']) ? given['output'] : {};
  const textOf = (key: string) => (typeof own[key] === 'string' ? { [key]: own[key] } : {});
  return {
    ...{ classes, names },
    ...outputs,
    ...textOf('label'),
    ...textOf('probabilities'),
    ...textOf('value'),
    isComplete: 'label' in own || 'probabilities' in own,
    hasActivation: 'activation' in own,
  };
}

function chooseTask(graph: ModelGraph, request: ProposalRequest, hasFeatures: boolean) {
  const { label, probabilities, value } = request.outputs ?? {};
  if (value !== undefined || request.names !== undefined)
    return { task: 'regression' as const, why: 'a value or its columns are named' };
  if (label !== undefined || probabilities !== undefined)
    return { task: 'classification' as const, why: 'a label or probabilities are named' };
  if (request.classes !== undefined) return { task: 'classification' as const, why: 'classes are named' };
  return guessTask(graph, hasFeatures);
}

/** A manifest that names only one of label and probabilities excludes the other. */
function mergeOutput(
  proposed: NonNullable<ManifestFile['output']>,
  given: unknown,
): NonNullable<ManifestFile['output']> {
  if (!isObject(given)) return proposed;
  const { label: _label, probabilities: _probabilities, activation: _activation, ...rest } = proposed;
  return 'label' in given || 'probabilities' in given ? { ...rest, ...given } : { ...proposed, ...given };
}

/** The values of the golden rows by feature, in the order of the rows. */
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

/** The first valid value in the golden rows becomes the example; a null makes the feature nullable. */
function withExample(feature: Feature, values: readonly unknown[]): Feature {
  const example = values.find((value) => value !== null && findValueFault(value, feature) === undefined);
  return {
    ...feature,
    ...(example !== undefined && { example: example as string | number | boolean }),
    ...(values.includes(null) && { nullable: true }),
  };
}
