/** A manifest in which one key is wrong. */
interface BrokenManifest {
  /** The version that gets the manifest. */
  readonly name: string;
  readonly pointer: string;
  /** `undefined` removes the key. */
  readonly value: unknown;
  /** What the refusal must say. */
  readonly reason: RegExp;
}

const broken = (name: string, pointer: string, value: unknown, reason: RegExp): BrokenManifest => ({
  name,
  pointer,
  value,
  reason,
});

/** Changes to the manifest of `soundParts`. */
export const brokenManifests: readonly BrokenManifest[] = [
  broken('unknown-key', '/colour', 'red', /\/colour is not a known key/),
  broken('no-task', '/task', undefined, /\/task is required/),
  broken('no-name', '/name', undefined, /\/name is required/),
  broken('no-version', '/version', undefined, /\/version is required/),
  broken('no-features', '/features', undefined, /\/features is required/),
  broken('no-digests', '/sha256', undefined, /\/sha256 is required/),
  broken('no-digest-of-model', '/sha256/model.onnx', undefined, /\/sha256\/model\.onnx is required/),
  broken('digest-of-another-kind', '/sha256/model.onnx', 'md5', /\/sha256\/model\.onnx /),
  broken('digest-in-capitals', '/sha256/model.onnx', 'A'.repeat(64), /\/sha256\/model\.onnx /),
  broken('another-name', '/name', 'sound', /\/name is sound, the folder says m/),
  broken('another-version', '/version', '1', /\/version is 1, the folder says another-version/),
  broken('name-of-a-path', '/name', '../../m', /\/name /),
  broken('unknown-task', '/task', 'clustering', /\/task must be .*"clustering"/),
  broken(
    'feature-twice',
    '/features/2',
    { name: 'a', type: 'number' },
    /\/features\/2\/name "a" is used twice/,
  ),
  broken('feature-of-no-type', '/features/0/type', undefined, /\/features\/0/),
  broken('feature-of-another-type', '/features/0/type', 'float', /\/features\/0/),
  broken('feature-with-unknown-key', '/features/1/min', 0, /\/features\/1\/min is not a known key/),
  broken('feature-of-objects', '/features/0/name', '__proto__', /\/features\/0\/name must not be __proto__/),
  broken('feature-without-a-name', '/features/0/name', '', /\/features\/0/),
  broken(
    'bounds-reversed',
    '/features/0/minimum',
    101,
    /\/features\/0\/minimum 101 is above the maximum 100/,
  ),
  broken('bound-as-text', '/features/0/minimum', '0', /\/features\/0/),
  broken('example-out-of-bounds', '/features/0/example', 101, /\/features\/0\/example /),
  broken('default-out-of-bounds', '/features/0/default', 101, /\/features\/0\/default /),
  broken('features-as-an-object', '/features', {}, /\/features /),
  broken('input-of-no-feature', '/inputs', { X: ['a', 'z'] }, /\/inputs\/X names "z"/),
  broken('input-leaves-one-out', '/inputs', { X: ['a'] }, /\/inputs leaves out the feature "b"/),
  broken('input-that-is-not-there', '/inputs', { Z: ['a', 'b'] }, /\/inputs names Z/),
  broken('output-for-another-task', '/output', { label: 'x' }, /\/output\/label is not for the task/),
  broken(
    'output-that-is-not-there',
    '/output',
    { value: 'x' },
    /\/output names x, but the graph has variable/,
  ),
  broken(
    'extensions',
    '/runtime',
    { extensions: ['/tmp/evil.so'] },
    /\/runtime\/extensions is not a known key/,
  ),
  broken('optimized-path', '/runtime', { optimizedModelFilePath: '/tmp/x' }, /optimizedModelFilePath is not/),
  broken('extra', '/runtime', { extra: { session: {} } }, /\/runtime\/extra is not a known key/),
  broken('profiling', '/runtime', { enableProfiling: true }, /\/runtime\/enableProfiling is not a known key/),
  broken('providers', '/runtime', { executionProviders: ['cuda'] }, /\/runtime\/executionProviders is not/),
  broken('no-threads', '/runtime', { intraOpNumThreads: 0 }, /\/runtime\/intraOpNumThreads /),
  broken('no-time', '/runtime', { timeoutMs: 0 }, /\/runtime\/timeoutMs /),
  broken('half-a-row', '/runtime', { maxBatchRows: 1.5 }, /\/runtime\/maxBatchRows /),
  broken('elsewhere', '/runtime', { executor: 'elsewhere' }, /\/runtime\/executor/),
];

/** The text of `metadata.json` with the change. */
export function breakManifest(manifest: unknown, { pointer, value }: BrokenManifest): string {
  const changed = structuredClone(manifest);
  const keys = pointer.split('/').slice(1);
  const last = keys.pop() as string;
  // biome-ignore lint/suspicious/noExplicitAny: what is written here is meant to be wrong
  const holder = keys.reduce((value: any, key) => value[key], changed);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return JSON.stringify(changed);
}
