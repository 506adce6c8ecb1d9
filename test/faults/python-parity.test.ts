import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { inParallel } from '../helpers/ask.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { float32Steps } from './instruments/float32-steps.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import {
  type EngineOutputs,
  noPythonWithEngine,
  pythonWithEngine,
  runByPython,
} from './instruments/python-engine.js';
import { createValidRows, type Metadata, readMetadata } from './instruments/valid-rows.js';

const versions = [
  'credit-risk/20261101_090000',
  'credit-risk/20261115_143000',
  'breast-cancer/1.0.0',
  'churn/1',
  'diabetes/1',
  'digits/1',
];
/** 120,000 rows in all; 6,000 in the small size. */
const rowsAVersion = isFullSize ? 20_000 : 1_000;
/** Rows that are also sent 64 at a time. Which of them share a run is chance, so Python tries several batch sizes. */
const gatheredRows = rowsAVersion / 10;
const batchSizes = [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64];
const title = 'predictions equal those of onnxruntime in Python to the last bit of float32';

const temp = mkdtempSync(join(tmpdir(), 'sardonyx-parity-'));
afterAll(() => rmSync(temp, { recursive: true }));

/** The comparable part of an answer and of an engine's outputs. */
interface Values {
  readonly floats: readonly number[];
  readonly label: unknown;
}

if (pythonWithEngine === undefined) {
  test.skip(`E05 ${title}: ${noPythonWithEngine}`, () => undefined);
} else {
  faultWithoutServer(
    'E05',
    title,
    async () => {
      const figures: string[] = [];
      await using server = await startServerProcess();
      for (const version of versions) {
        const folder = `models/${version}`;
        const metadata = readMetadata(folder);
        const rows = createValidRows(folder, rowsAVersion);
        const file = join(temp, 'rows.jsonl');
        writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
        const outputs = await runByPython(folder, file, batchSizes);
        const [single = [], ...batches] = outputs.map((it) => readEngine(metadata, it, rows.length));

        const alone = await askAll(server, version, metadata, rows, 1);
        const ulp = largest(alone.map((answer, k) => stepsBetween(answer, single[k])));
        expect(ulp, `${version}, a row a run`).toBe(0);

        const gathered = await askAll(server, version, metadata, rows.slice(0, gatheredRows), 64);
        // In a batch of another size the engine may add in another order; so does the engine in Python.
        const byBatch = largest(gathered.map((answer, k) => distanceBetween(answer, single[k])));
        const foreign = gathered.filter((answer, k) =>
          [single, ...batches].every((values) => stepsBetween(answer, values[k]) !== 0),
        );
        expect(foreign, `${version}: gathered rows that Python gives at no batch size`).toEqual([]);
        figures.push(
          `${version} ${ulp} ULP, gathered rows differ by up to ${Number(byBatch.toPrecision(1))}`,
        );
      }
      return `${versions.length * rowsAVersion} rows, a row a run: ${figures.join(', ')}; gathered rows that Python gives at no batch size: 0 of ${versions.length * gatheredRows}${sizeNote}`;
    },
    isFullSize ? 1_800_000 : 120_000,
  );
}

const largest = (steps: readonly number[]) => steps.reduce((max, it) => Math.max(max, it), 0);

/** In ULP of float32; infinite if a label differs or a number is missing. */
function stepsBetween(one: Values, other: Values | undefined): number {
  if (one.label !== other?.label || one.floats.length !== other?.floats.length) {
    return Number.POSITIVE_INFINITY;
  }
  return largest(one.floats.map((value, k) => float32Steps(value, other.floats[k] as number)));
}

/** The largest absolute difference. Answers only have the digits that identify a float32, so they are rounded first. */
function distanceBetween(one: Values, other: Values | undefined): number {
  return largest(one.floats.map((value, k) => Math.abs(Math.fround(value) - (other?.floats[k] as number))));
}

/** Converts the engine's outputs to answers, by the manifest. */
function readEngine({ task, output }: Metadata, outputs: EngineOutputs, count: number): readonly Values[] {
  const [name = '', labelName = ''] = outputNames[task];
  const floats = outputs[name] as Float32Array;
  const labels = outputs[labelName];
  const { classes = [] } = output ?? {};
  const width = floats.length / (labels?.length ?? floats.length);
  return Array.from({ length: count }, (_, k) => {
    const label = labels?.[k];
    const isPosition = typeof label === 'number' && classes.length > 0 && !classes.includes(label);
    return {
      floats: [...floats.subarray(k * width, (k + 1) * width)],
      label: isPosition ? classes[label] : label,
    };
  });
}

const outputNames = {
  classification: ['probabilities', 'label'],
  regression: ['variable'],
  tensor: ['scores', 'digit'],
} as const satisfies Record<Metadata['task'], readonly string[]>;

interface Answer {
  readonly prediction: number | string;
  readonly probabilities?: Readonly<Record<string, number>>;
  readonly outputs?: { readonly scores: readonly (readonly number[])[]; readonly digit: readonly number[] };
}

function readAnswer({ task, output }: Metadata, { prediction, probabilities, outputs }: Answer): Values {
  if (task === 'tensor') return { floats: outputs?.scores[0] ?? [], label: outputs?.digit[0] };
  if (task === 'regression') return { floats: [prediction as number], label: undefined };
  const floats = (output?.classes ?? []).map((name) => probabilities?.[name] as number);
  return { floats, label: prediction };
}

/** Requests predictions for all rows of a version, up to `concurrency` at a time. */
async function askAll(
  server: ServerProcess,
  version: string,
  metadata: Metadata,
  rows: readonly unknown[],
  concurrency: number,
) {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const [model, name] = version.split('/');
  const path = `/models/${model}/versions/${name}/predict`;
  const ask = (row: unknown) =>
    new Promise<Values>((resolve, reject) => {
      const body = JSON.stringify(row);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      request({ agent, port: server.port, method: 'POST', path, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(readAnswer(metadata, JSON.parse(text)));
          else reject(new Error(`${path} answers ${response.statusCode} for ${body}: ${text}`));
        });
      })
        .on('error', reject)
        .end(body);
    });
  try {
    return await inParallel(rows, concurrency, ask);
  } finally {
    agent.destroy();
  }
}
