import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { median } from './table.js';

/**
 * The model, the number of rows per run, and how long to run it again and again. The first argument names a file that
 * holds it as JSON.
 */
export interface EngineLoop {
  readonly path: string;
  readonly input: string;
  readonly values: readonly number[];
  /** The rows of all runs in turn, instead of `values` again and again: rows that never repeat take longer. */
  readonly matrix?: readonly (readonly number[])[];
  readonly rows: number;
  readonly seconds: number;
}

export interface EngineLoopResult {
  readonly rowsPerSecond: number;
  readonly medianMs: number;
}

// The engine alone, without a server: one session, one thread, run after run.
const question = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as EngineLoop;
const { path, input, values, matrix = [values], rows, seconds } = question;
const session = await InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const data = Float32Array.from({ length: rows * values.length }, (_, k) => values[k % values.length] ?? 0);
let next = 0;
for (let k = 0; k < 3; k += 1) await run();
const took: number[] = [];
const started = performance.now();
while (performance.now() - started < seconds * 1_000) {
  const since = performance.now();
  await run();
  took.push(performance.now() - since);
}
const elapsed = (performance.now() - started) / 1_000;
const result: EngineLoopResult = {
  rowsPerSecond: (took.length * rows) / elapsed,
  medianMs: median(took),
};
process.send?.(result, () => process.exit(0));

function run() {
  if (matrix.length > 1) {
    for (let row = 0; row < rows; row += 1) {
      data.set(matrix[next] as number[], row * values.length);
      next = (next + 1) % matrix.length;
    }
  }
  return session.run({ [input]: new Tensor('float32', data, [rows, values.length]) });
}
