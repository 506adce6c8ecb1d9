import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { faultWithoutServer } from './instruments/fault.js';

/** A model from a public report, and the outcome for its owner: a right answer, or a refusal with advice. */
interface Case {
  readonly path: string;
  readonly options?: readonly string[];
  readonly refused?: RegExp;
  /** What `add` prints. */
  readonly prints?: RegExp;
  readonly answers?: readonly (readonly [body: unknown, answer: Readonly<Record<string, unknown>>])[];
}

const readCase = (path: string) => JSON.parse(readFileSync(join('test/cases', path), 'utf8'));
const zeros = { x0: 0, x1: 0, x2: 0, x3: 0 };
const catBoost = readCase('catboost-zipmap/truth.json');
const severalLabels =
  /several labels at once.*--task regression --value probabilities --names.*--task tensor/;

const cases: readonly Case[] = [
  {
    path: 'catboost-zipmap/model.onnx',
    prints: /ends in a ZipMap/,
    answers: catBoost.rows.map((row: unknown, k: number) => [row, { prediction: catBoost.label[k] }]),
  },
  {
    path: 'mlnet-passthrough-label/model.onnx',
    prints: /"label":"PredictedLabel.output"/,
    answers: [true, false].map((Label) => [{ temperature: 0, vibration: 0, Label }, { prediction: 0 }]),
  },
  { path: 'multilabel/ovr.onnx', refused: severalLabels },
  { path: 'multilabel/mlp.onnx', refused: severalLabels },
  {
    path: 'multilabel/ovr.onnx',
    options: '--task regression --value probabilities --names a,b,c'.split(' '),
    answers: [[zeros, { prediction: expect.objectContaining({ a: expect.any(Number) }) }]],
  },
  { path: 'multioutput-sequence/model.onnx', prints: /probabilities is left out: it is a sequence/ },
  { path: 'second-output-lost/iforest.onnx', prints: /scores is left out.*task tensor serves every output/ },
  {
    path: 'second-output-lost/quantiles.onnx',
    options: ['--task', 'regression'],
    refused: /choose one with --value/,
  },
  { path: 'adaboost-probabilities/model.onnx', prints: /"probabilities":"probabilities"/ },
  { path: 'two-columns-declared-as-one/model.onnx', prints: /2 columns of variable are called/ },
  { path: 'lone-input-loses-its-name/model.onnx', prints: /features +1: s / },
  {
    path: 'dynamic-quantization/model.onnx',
    options: ['--golden', 'test/cases/dynamic-quantization/golden.json'],
    prints: /do not share runs: DynamicQuantizeLinear.*quantize statically/,
  },
  { path: 'engine-messages/customop.onnx', refused: /No custom operators are loaded here/ },
  { path: 'engine-messages/ir14.onnx', refused: /takes IR versions up to 13: export with a lower/ },
  { path: 'text-locale/model.onnx', refused: /Install the locale en_US\.UTF-8/ },
  { path: 'example-of-zeros/model.onnx', prints: /It answered \{"outputs":\{"logits"/ },
  {
    path: 'topk-no-detections/plain.onnx',
    prints: /executor +isolated/,
    answers: [[{ inputs: { scores: [[[1, 3, 2, 0]]] } }, { outputs: { conf: [[[3]]], cls: [[[1]]] } }]],
  },
  {
    path: 'int-division-overflow/model.onnx',
    options: ['--golden', 'test/cases/int-division-overflow/golden.json'],
    prints: /executor +isolated \(Div of int32/,
    answers: [[{ a: 42, b: -6 }, { prediction: -7 }]],
  },
];

faultWithoutServer(
  'R13',
  'models from public reports are served correctly, or refused with advice',
  async () => {
    using target = createRegistryFolder();
    let answered = 0;
    let refused = 0;
    const run = (...argv: readonly string[]) =>
      spawnSync(process.execPath, ['dist/cli.js', ...argv, '--models', target.path], {
        encoding: 'utf8',
        env: { ...process.env, LOCPATH: '/nowhere' },
      });
    for (const { path, options = [], refused: reason, prints, answers = [] } of cases) {
      rmSync(join(target.path, 'm'), { recursive: true, force: true });
      const added = run('add', join('test/cases', path), '--name', 'm', '--version', '1', ...options);
      expect(added.signal, path).toBeNull();
      expect(added.status, `${path} ${added.stderr}`).toBe(reason === undefined ? 0 : 1);
      if (reason !== undefined) {
        expect(added.stderr, path).toMatch(reason);
        refused += 1;
      }
      if (prints !== undefined) expect(added.stdout, path).toMatch(prints);
      for (const [body, answer] of answers) {
        const { stdout, stderr } = run('predict', 'm', JSON.stringify(body));
        expect(JSON.parse(stdout || '{}'), `${path} ${stderr}`).toMatchObject(answer);
        answered += 1;
      }
    }
    return `silent wrong choices 0 of ${cases.length}, ${refused} of them refused with advice; right answers ${answered} of ${answered}`;
  },
  240_000,
);
