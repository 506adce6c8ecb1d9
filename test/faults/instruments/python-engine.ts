import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const { version } = JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8'));

/** A Python with the same version of onnxruntime; undefined if there is none. */
export const pythonWithEngine = [process.env['PYTHON'], 'training/.venv/bin/python', 'python3']
  .filter((file) => file !== undefined)
  .find((file) => spawnSync(file, ['-c', check(version)], { stdio: 'ignore' }).status === 0);

export const noPythonWithEngine = `needs Python with numpy and onnxruntime ${version}: run training/train.sh, or set PYTHON to one`;

function check(wanted: string): string {
  return `import numpy, onnxruntime; assert onnxruntime.__version__ == '${wanted}'`;
}

/** The outputs of all rows by name: floats (rows × columns, row-major), or labels. */
export type EngineOutputs = Readonly<Record<string, Float32Array | readonly (number | string)[]>>;

/** Runs the bodies of a file through onnxruntime for Python, once for each batch size. */
export async function runByPython(
  folder: string,
  rowsFile: string,
  batchSizes: readonly number[],
): Promise<readonly EngineOutputs[]> {
  const { stdout } = await promisify(execFile)(
    pythonWithEngine as string,
    ['test/faults/instruments/engine_answers.py', folder, rowsFile, ...batchSizes.map(String)],
    { maxBuffer: 2 ** 29 },
  );
  const answers: Record<string, string | (number | string)[]>[] = JSON.parse(stdout);
  return answers.map((outputs) =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, values]) => [
        name,
        typeof values === 'string' ? toFloat32(values) : values,
      ]),
    ),
  );
}

function toFloat32(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return new Float32Array(bytes.buffer);
}
