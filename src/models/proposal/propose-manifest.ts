import { RefusedError } from '../../errors.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { isObject } from '../../text/describe-value.js';
import { findValueFault } from '../manifest/feature-value.js';
import type { Feature, ManifestFile } from '../manifest/manifest.js';
import type { WantedOutputs } from './choose-output.js';
import { proposeFeatures } from './propose-features.js';
import { type OutputWishes, proposeClassification, proposeRegression } from './propose-output.js';
import { guessTask, type TaskName } from './propose-task.js';

/** What the user knows already; everything left out is proposed. */
export interface ProposalRequest {
  readonly name: string;
  readonly version: string;
  readonly timestamp: string;
  readonly task?: TaskName;
  readonly features?: readonly string[];
  readonly classes?: readonly (string | number | boolean)[];
  /** Outputs by name, where the graph leaves several. */
  readonly outputs?: WantedOutputs;
  /** The names of a regression's columns. */
  readonly names?: readonly string[];
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
    return { manifest: { ...base, ...given }, ...reason, remarks: describeZipMaps(graph) };
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
  const remarks = [...describeZipMaps(graph, served), ...(features?.remarks ?? []), ...outputs.remarks];
  return { manifest, ...reason, remarks };
}

/** What is served in place of a ZipMap, in a sentence; `served` are the outputs that answers come from. */
function describeZipMaps({ zipMaps }: ModelGraph, served?: readonly unknown[]): readonly string[] {
  const outputs = [...(zipMaps?.keys() ?? [])].filter((name) => served?.includes(name) ?? true);
  if (outputs.length === 0) return [];
  return [
    outputs.length === 1
      ? `the graph ends in a ZipMap: the tensor that goes into it is served as ${outputs[0]}`
      : `the graph ends in ZipMaps: the tensors that go into them are served as ${outputs.join(', ')}`,
  ];
}

/** What the user says about the outputs; a manifest that names label or probabilities means that one alone. */
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
    return { task: 'regression' as const, why: 'it has a value by name' };
  if (label !== undefined || probabilities !== undefined)
    return { task: 'classification' as const, why: 'it has a label or probabilities by name' };
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
