import { isAbsolute, normalize, sep } from 'node:path';

export const maxWeightBytes = 64 * 1_024 ** 3;

const reserved = ['model.onnx', 'metadata.json', 'golden.json', 'reference.json'];

/** Whether a location of external weights is a plain path to a file below the folder of the graph. */
export function isPlainLocation(location: string): boolean {
  if (location === '' || location === '.' || location.includes('\0') || isAbsolute(location)) return false;
  return normalize(location) === location && !location.split(sep).includes('..');
}

/** The file of a version whose name a location begins with; undefined if there is none. */
export function reservedNameOf(location: string): string | undefined {
  const [first = ''] = location.split(sep);
  return reserved.find((name) => name === first);
}
