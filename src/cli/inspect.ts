import { basename } from 'node:path';
import { RefusedError } from '../errors.js';
import { digestOf, readRegularFile } from '../files/regular-file.js';
import { maxModelBytes } from '../inference/onnx/file-kind.js';
import { describeType, type GraphValue, type ModelGraph, readGraph } from '../inference/onnx/read-graph.js';
import { describeShape } from '../text/describe-value.js';
import { type Command, UsageError } from './terminal/command.js';
import { printable, toPrintableJson, toTable } from './terminal/terminal-text.js';

export const inspect: Command = {
  summary: 'shows the inputs, outputs and operators of a model file',
  help: `Usage: sardonyx inspect MODEL.onnx [--json]

Shows inputs, outputs, operators, opsets, producer, external weights, metadata, size and SHA-256. The engine does not
open the file, so that a file of unknown origin can do no harm.

  --json   prints the facts as JSON
`,
  options: { json: { type: 'boolean' } },
  maxPositionals: 1,
  async run(args, { stdout }) {
    const [path] = args.positionals;
    if (path === undefined) throw new UsageError('the model file is missing');
    const bytes = await readModelFile(path);
    const facts = describeModel(path, bytes, readGraph(bytes));
    stdout.write(args.flag('json') ? `${toPrintableJson(facts)}\n` : toText(facts));
    return 0;
  },
};

/** Throws `RefusedError` if there is no such file or it is over the limit. */
export async function readModelFile(path: string): Promise<Buffer> {
  const bytes = await readRegularFile(path, path, maxModelBytes).catch((cause) => {
    const isTooLarge = cause instanceof RefusedError && cause.message.includes('over the limit of');
    throw isTooLarge
      ? new RefusedError(`${cause.message}: save its weights as external data`, { cause })
      : cause;
  });
  if (bytes === undefined) throw new RefusedError(`${path} is not there`);
  return bytes;
}

function describeModel(path: string, bytes: Uint8Array, graph: ModelGraph) {
  const counts = new Map<string, number>();
  for (const { domain, opType } of [...graph.nodes, ...graph.nestedNodes]) {
    const name = domain === '' ? opType : `${domain}:${opType}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return {
    file: path,
    bytes: bytes.byteLength,
    sha256: digestOf(bytes),
    producer: graph.producer,
    irVersion: graph.irVersion,
    opsets: Object.fromEntries(graph.opsets.map(({ domain, version }) => [domain || 'ai.onnx', version])),
    inputs: graph.inputs.map(toFact),
    outputs: graph.outputs.map(toFact),
    operators: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    externalData: graph.externalData,
    metadata: Object.fromEntries(graph.metadata),
  };
}

const toFact = (value: GraphValue) => ({
  name: value.name,
  type: describeType(value),
  // JSON has no undefined: an open dimension is null.
  ...(value.shape && { shape: value.shape.map((dim) => dim ?? null) }),
});

const maxListed = 200;

function toText(facts: ReturnType<typeof describeModel>): string {
  const values = (list: typeof facts.inputs) =>
    list
      .slice(0, maxListed)
      .map(
        ({ name, type, shape }) => `${name}: ${type}${shape ? ` ${describeShape(shape)}` : ', of any shape'}`,
      );
  const pairs = (record: Readonly<Record<string, unknown>>, join: string) =>
    Object.entries(record)
      .slice(0, maxListed)
      .map(([key, value]) => `${key}${join}${value}`);
  const rows: [string, readonly string[]][] = [
    ['file', [`${basename(facts.file)}, ${facts.bytes.toLocaleString('en')} bytes`]],
    ['sha256', [facts.sha256]],
    ['producer', [facts.producer || 'not named']],
    ['format', [`IR ${facts.irVersion}, opsets ${pairs(facts.opsets, ' ').join(', ')}`]],
    ['inputs', values(facts.inputs)],
    ['outputs', values(facts.outputs)],
    ['operators', [pairs(facts.operators, ' × ').join(', ')]],
    [
      'weights',
      facts.externalData.length === 0
        ? ['all in the file']
        : facts.externalData.slice(0, maxListed).map((file) => `in ${file}`),
    ],
    ['metadata', pairs(facts.metadata, ': ')],
  ];
  const cells = rows.flatMap(([title, lines]) =>
    lines.map((line, k) => [k === 0 ? title : '', printable(line, 400)]),
  );
  return `${toTable(cells)}\n`;
}
