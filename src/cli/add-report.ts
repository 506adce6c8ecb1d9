import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { Feature } from '../models/manifest/manifest.js';
import type { Proposal } from '../models/proposal/propose-manifest.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { printable, quoteForShell, toTable } from './terminal/terminal-text.js';

export interface AdditionPlace {
  readonly root: string;
  readonly port: string;
  /** Whether the commands that are shown need --models. */
  readonly hasModelsOption: boolean;
  /** How this command was called, as the commands that are shown begin. */
  readonly program: string;
}

const maxBody = 1_500;

/** What was proposed, what is left to do by hand, and lines to try it, with a body that has just been answered. */
export async function describeAddition(
  loaded: LoadedVersion,
  proposal: Proposal,
  place: AdditionPlace,
): Promise<string> {
  const { manifest, loadStats, task } = loaded;
  const trial = await tryExample(loaded);
  const proof = `loads in ${loadStats.loadMs.toFixed(0)} ms${Number.isFinite(loadStats.runMs) ? `, a run takes ${(loadStats.runMs * 1_000).toFixed(0)} µs` : ''}${loadStats.goldenRows > 0 ? `, ${loadStats.goldenRows} golden rows pass` : ''}`;
  const facts = [
    ['folder', join(place.root, loaded.name, loaded.version)],
    [
      'task',
      `${manifest.task}${proposal.taskReason === undefined ? '' : ` (guessed: ${proposal.taskReason}; --task says otherwise)`}`,
    ],
    ...(manifest.features === undefined ? [] : [['features', describeFeatures(manifest.features)]]),
    ...(manifest.output === undefined ? [] : [['output', JSON.stringify(manifest.output)]]),
    ['proof', proof],
    ['executor', `${loaded.executorKind} (${loadStats.executorReason})`],
  ];
  const notes = [...proposal.notes, ...loadStats.notes, ...trial.doubts].map((note) => `note: ${note}`);
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
    doubts: [`no line to try is shown, since none of the requests that were tried is answered (${why})`],
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

/** What does not add up on a plain row is no distribution; the load has seen that each is a probability. */
function doubtsAbout(probabilities: readonly number[]): readonly string[] {
  const sum = probabilities.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-3) return [];
  return [
    `the probabilities of the example are ${probabilities.slice(0, 5).join(', ')}${probabilities.length > 5 ? ', …' : ''}, with a sum of ${sum.toFixed(4)}: ` +
      'if these are scores, name output.label alone, or an output.activation (--manifest)',
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
  const golden = loadStats.goldenRows > 0 ? '' : ' Golden rows (--golden) would prove its answers.';
  return wishes.length === 0 && golden === ''
    ? ''
    : `To fill in by hand, before it is served, in ${file}: ${wishes.join('; ')}.${golden}`;
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
  // Too long for a line: the command line has the example itself.
  return `Try it:\n  ${predict} --example\n  ${predict} --example | head -n 1 | ${curl} -d @-`;
}
