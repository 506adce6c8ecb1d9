import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgeGraph } from '../../src/inference/analysis/graph-judge.js';
import { readGraph } from '../../src/inference/onnx/read-graph.js';

// Judges the models FOLDER/EXPORTER/*.onnx that exporters.py wrote. Prints the operators of each exporter, and why a
// model would not run on the server's thread. A second argument names the file for the operators of the other models:
// test/inference/exported-operators.json.

const [, , folder = '', output] = process.argv;
/** The opsets, by exporter, operator and types of the inputs. */
const exported: Record<string, Record<string, Record<string, number[]>>> = {};

for (const exporter of readdirSync(folder).sort()) {
  const operators: Record<string, Record<string, number[]>> = {};
  const files = readdirSync(join(folder, exporter)).sort();
  const left: string[] = [];
  for (const file of files) {
    const graph = readGraph(readFileSync(join(folder, exporter, file)));
    const { unproven, values } = judgeGraph(graph, { freeInputs: 'rows' });
    if (unproven !== undefined) {
      left.push(`${exporter}/${file}: ${unproven}`);
      continue;
    }
    for (const { domain, opType, inputs } of graph.nodes) {
      if (opType === 'Constant') continue;
      const opset = graph.opsets.find((it) => it.domain === domain)?.version ?? 0;
      const types = inputs.map((name) => values.get(name)?.type ?? '-').join(' ');
      const name = domain === '' ? opType : `${domain}:${opType}`;
      const uses = operators[name] ?? {};
      uses[types] = [...new Set([...(uses[types] ?? []), opset])];
      operators[name] = uses;
    }
  }
  exported[exporter] = sorted(operators);
  console.log(`${exporter}: ${files.length - left.length} of ${files.length} models inline`);
  for (const [name, uses] of Object.entries(exported[exporter])) {
    const types = new Set(Object.keys(uses).flatMap((it) => it.split(' ')));
    console.log(`  ${name} (${[...types].filter((it) => it !== '-').join(', ')})`);
  }
  console.log(left.map((line) => `  isolated: ${line}`).join('\n'));
}
if (output !== undefined) writeFileSync(output, `${JSON.stringify(exported, null, 2)}\n`);

function sorted(operators: Record<string, Record<string, number[]>>): typeof operators {
  return Object.fromEntries(
    Object.entries(operators)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, uses]) => [
        name,
        Object.fromEntries(
          Object.entries(uses)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([types, opsets]) => [types, opsets.sort((a, b) => a - b)]),
        ),
      ]),
  );
}
