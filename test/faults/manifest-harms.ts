/** One key spoilt. */
interface Harm {
  /** Of the version that gets the manifest. */
  readonly name: string;
  readonly pointer: string;
  /** Undefined takes the key away. */
  readonly value: unknown;
  /** The words that must name the key. */
  readonly reason: RegExp;
}

const harm = (name: string, pointer: string, value: unknown, reason: RegExp): Harm => ({
  name,
  pointer,
  value,
  reason,
});

/** Ways to spoil the manifest of `soundParts`. */
export const harms: readonly Harm[] = [
  harm('unknown-key', '/colour', 'red', /\/colour is not a known key/),
  harm('no-task', '/task', undefined, /\/task is required/),
  harm('no-name', '/name', undefined, /\/name is required/),
  harm('no-version', '/version', undefined, /\/version is required/),
  harm('no-features', '/features', undefined, /\/features is required/),
  harm('no-digests', '/sha256', undefined, /\/sha256 is required/),
  harm('no-digest-of-model', '/sha256/model.onnx', undefined, /\/sha256\/model\.onnx is required/),
  harm('digest-of-another-kind', '/sha256/model.onnx', 'md5', /\/sha256\/model\.onnx /),
  harm('digest-in-capitals', '/sha256/model.onnx', 'A'.repeat(64), /\/sha256\/model\.onnx /),
  harm('another-name', '/name', 'sound', /\/name is sound, the folder says m/),
  harm('another-version', '/version', '1', /\/version is 1, the folder says another-version/),
  harm('name-of-a-path', '/name', '../m', /\/name /),
  harm('unknown-task', '/task', 'clustering', /\/task must be .*"clustering"/),
  harm(
    'feature-twice',
    '/features/2',
    { name: 'a', type: 'number' },
    /\/features\/2\/name "a" is used twice/,
  ),
  harm('feature-of-no-type', '/features/0/type', undefined, /\/features\/0/),
  harm('feature-of-another-type', '/features/0/type', 'float', /\/features\/0/),
  harm('feature-with-unknown-key', '/features/1/min', 0, /\/features\/1\/min is not a known key/),
  harm('feature-of-objects', '/features/0/name', '__proto__', /\/features\/0\/name must not be __proto__/),
  harm('feature-without-a-name', '/features/0/name', '', /\/features\/0/),
  harm('bounds-reversed', '/features/0/minimum', 101, /\/features\/0\/minimum 101 is above the maximum 100/),
  harm('bound-as-text', '/features/0/minimum', '0', /\/features\/0/),
  harm('example-out-of-bounds', '/features/0/example', 101, /\/features\/0\/example /),
  harm('default-out-of-bounds', '/features/0/default', 101, /\/features\/0\/default /),
  harm('features-as-an-object', '/features', {}, /\/features /),
  harm('input-of-no-feature', '/inputs', { X: ['a', 'z'] }, /\/inputs\/X names "z"/),
  harm('input-leaves-one-out', '/inputs', { X: ['a'] }, /\/inputs leaves out the feature "b"/),
  harm('input-that-is-not-there', '/inputs', { Z: ['a', 'b'] }, /\/inputs names Z/),
  harm('output-for-another-task', '/output', { label: 'x' }, /\/output\/label is not for the task/),
  harm('output-that-is-not-there', '/output', { value: 'x' }, /\/output names x, but the graph has variable/),
  harm(
    'extensions',
    '/runtime',
    { extensions: ['/tmp/evil.so'] },
    /\/runtime\/extensions is not a known key/,
  ),
  harm('optimized-path', '/runtime', { optimizedModelFilePath: '/tmp/x' }, /optimizedModelFilePath is not/),
  harm('extra', '/runtime', { extra: { session: {} } }, /\/runtime\/extra is not a known key/),
  harm('profiling', '/runtime', { enableProfiling: true }, /\/runtime\/enableProfiling is not a known key/),
  harm('providers', '/runtime', { executionProviders: ['cuda'] }, /\/runtime\/executionProviders is not/),
  harm('no-threads', '/runtime', { intraOpNumThreads: 0 }, /\/runtime\/intraOpNumThreads /),
  harm('no-time', '/runtime', { timeoutMs: 0 }, /\/runtime\/timeoutMs /),
  harm('half-a-row', '/runtime', { maxBatchRows: 1.5 }, /\/runtime\/maxBatchRows /),
  harm('elsewhere', '/runtime', { executor: 'elsewhere' }, /\/runtime\/executor/),
];

/** The manifest with one key spoilt, as a file. */
export function spoil(manifest: unknown, { pointer, value }: Harm): string {
  const spoilt = structuredClone(manifest);
  const keys = pointer.split('/').slice(1);
  const last = keys.pop() as string;
  // biome-ignore lint/suspicious/noExplicitAny: what is written here is meant to be wrong
  const holder = keys.reduce((value: any, key) => value[key], spoilt);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return JSON.stringify(spoilt);
}
