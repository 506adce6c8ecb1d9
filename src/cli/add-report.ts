import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { Feature } from '../models/manifest/manifest.js';
import type { Proposal } from '../models/proposal/propose-manifest.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { describeReference } from './add-reference.js';
import { printable, quoteForShell, toTable } from './terminal/terminal-text.js';

export interface AdditionPlace {
  readonly root: string;
  /** The versions that the model has already, the oldest first. */
  readonly existing: readonly string[];
  readonly port: string;
  /** Whether the shown commands need --models. */
  readonly hasModelsOption: boolean;
  /** The program in the shown commands: `sardonyx`, or `npx sardonyx` if npx runs this one. */
  readonly program: string;
}

const maxBody = 1_500;

/** The proposal, what is left to fill in by hand, and commands to try the version with a body that gets an answer. */
export async function describeAddition(
  loaded: LoadedVersion,
  proposal: Proposal,
  place: AdditionPlace,
): Promise<string> {
  const { manifest, loadStats, task } = loaded;
  const trial = await tryExample(loaded);
  const earlier = place.existing.map((it) => join(place.root, loaded.name, it));
  const reference = describeReference(loaded, earlier);
  const proof = `loads in ${loadStats.loadMs.toFixed(0)} ms${Number.isFinite(loadStats.runMs) ? `, a run takes ${(loadStats.runMs * 1_000).toFixed(0)} µs` : ''}${loadStats.goldenRows > 0 ? `, ${loadStats.goldenRows} golden rows pass` : ''}`;
  const facts = [
    ['folder', join(place.root, loaded.name, loaded.version)],
    [
      'task',
      `${manifest.task}${proposal.taskReason === undefined ? '' : ` (guessed: ${proposal.taskReason}; --task changes it)`}`,
    ],
    ...(manifest.features === undefined ? [] : [['features', describeFeatures(manifest.features)]]),
    ...(manifest.output === undefined ? [] : [['output', JSON.stringify(manifest.output)]]),
    ...(reference.fact === undefined ? [] : [['reference', reference.fact]]),
    ['proof', proof],
    ['executor', `${loaded.executorKind} (${loadStats.executorReason})`],
  ];
  const notes = [...proposal.notes, ...loadStats.notes, ...reference.notes, ...trial.doubts].map(
    (note) => `note: ${note}`,
  );
  const sections = [
    `Added ${loaded.name} ${loaded.version}`,
    toTable(facts.map((row) => row.map((cell) => printable(cell)))),
    notes.map((note) => printable(note)).join('\n'),
    adviceFor(loaded, place),
    trial.line === '' ? '' : commandsFor(loaded, task.example, place),
    trial.line,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

async function tryExample(
  loaded: LoadedVersion,
): Promise<{ readonly line: string; readonly doubts: readonly string[] }> {
  const { task } = loaded;
  const nothing = (why: string) => ({
    line: '',
    doubts: [`no command to try is shown, because no tried request gets an answer (${why})`],
  });
  if (task.exampleProblem !== undefined) return nothing(task.exampleProblem);
  try {
    const call = loaded.createCall({ arrivedAt: performance.now() });
    const { value, fieldsJson } = await task.check(task.example).answer(call);
    const line = `It answered {${printable(fieldsJson, maxBody)}}`;
    return { line, doubts: 'probabilities' in value ? doubtsAbout(value.probabilities ?? []) : [] };
  } catch (error) {
    return nothing(messageOf(error));
  }
}

/** Probabilities of the example that do not add up to 1. The load has checked that each is from 0 to 1. */
function doubtsAbout(probabilities: readonly number[]): readonly string[] {
  const sum = probabilities.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-3) return [];
  return [
    `the probabilities of the example are ${probabilities.slice(0, 5).join(', ')}${probabilities.length > 5 ? ', …' : ''}, and their sum is ${sum.toFixed(4)}: ` +
      'if these are scores, name only output.label, or add an output.activation (--manifest)',
  ];
}

function describeFeatures(features: readonly Feature[]): string {
  const listed = features
    .slice(0, 20)
    .map(({ name, type }) => (type === 'number' ? name : `${name} (${type})`));
  return `${features.length}: ${listed.join(', ')}${features.length > 20 ? ', …' : ''}`;
}

function adviceFor({ name, version, manifest, loadStats }: LoadedVersion, { root }: AdditionPlace): string {
  const wishes = [
    manifest.features === undefined ? [] : [wishesFor(manifest.features)],
    manifest.description === undefined ? ['description'] : [],
    manifest.metrics === undefined ? ['metrics'] : [],
  ].flat();
  const file = join(root, name, version, 'metadata.json');
  return [
    ...(wishes.length === 0 ? [] : [`Before the version is served, add to ${file}: ${wishes.join('; ')}.`]),
    ...(loadStats.goldenRows > 0 ? [] : ['Golden rows (--golden) would check its answers.']),
  ].join(' ');
}

function wishesFor(features: readonly Feature[]): string {
  const hasTexts = features.some(({ type }) => type === 'string');
  const hasNumbers = features.some(({ type }) => type === 'number' || type === 'integer');
  const bounds = [...(hasNumbers ? ['minimum, maximum, unit'] : []), ...(hasTexts ? ['enum of texts'] : [])];
  return `${[...bounds, 'nullable, description'].join(', ')} and example of each feature`;
}

function commandsFor({ name, version }: LoadedVersion, example: unknown, place: AdditionPlace): string {
  const body = JSON.stringify(example);
  const models = place.hasModelsOption ? ` --models ${quoteForShell(place.root)}` : '';
  const predict = `${place.program} predict ${name}@${version}${models}`;
  const url = `http://127.0.0.1:${place.port}/models/${name}/versions/${version}/predict`;
  const curl = `curl -s -H 'content-type: application/json' ${url}`;
  if (body.length <= maxBody && printable(body) === body) {
    return `Try it:\n  ${predict} ${quoteForShell(body)}\n  ${curl} -d ${quoteForShell(body)}`;
  }
  // The body is too long for a command line.
  return `Try it:\n  ${predict} --example\n  ${predict} --example | head -n 1 | ${curl} -d @-`;
}
