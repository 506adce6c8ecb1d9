import { TypeCompiler } from '@sinclair/typebox/compiler';
import { messageOf, RefusedError } from '../../errors.js';
import { describeValue } from '../../text/describe-value.js';
import { describeSchemaErrors } from '../../text/schema-errors.js';
import { parseBoundedJson } from './bounded-json.js';
import { type Manifest, ManifestSchema } from './manifest.js';
import { findFeatureFaults, findTaskFaults } from './manifest-faults.js';

const compiled = TypeCompiler.Compile(ManifestSchema);
const maxListed = 8;
const bounds = { depth: 32, containers: 100_000, members: 250_000, values: 500_000 };

/**
 * Parses and checks the bytes of a `metadata.json`.
 * Throws `RefusedError` that names each faulty key by its path, and the values that the key takes.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const file = parseJson(bytes);
  if (!isWellFormed(file)) {
    throw new RefusedError(
      'metadata.json has a text with half of a surrogate pair, such as "\\ud83d": leave it out',
    );
  }
  if (!compiled.Check(file)) throw refuse(nameFeatures(describeSchemaErrors(compiled.Errors(file)), file));
  const { features: given, ...rest } = file;
  const features = given?.map((feature) =>
    typeof feature === 'string' ? { name: feature, type: 'number' as const } : feature,
  );
  const manifest: Manifest = features === undefined ? rest : { ...rest, features };
  const faults = [...findTaskFaults(manifest), ...findFeatureFaults(features ?? [])];
  if (faults.length > 0) throw refuse(nameFeatures(faults, file));
  return manifest;
}

/** Adds a feature's name to its index, which says little among hundreds of features. */
function nameFeatures(faults: readonly string[], file: unknown): readonly string[] {
  const features = (file as { readonly features?: unknown } | null)?.features;
  if (!Array.isArray(features)) return faults;
  return faults.map((fault) => {
    const index = /^\/features\/(\d+)(?!\/name )/.exec(fault)?.[1];
    const feature: unknown = index === undefined ? undefined : features[Number(index)];
    const name = (feature as { readonly name?: unknown } | null | undefined)?.name;
    return typeof name === 'string' && name !== '' ? `${fault} (feature ${describeValue(name)})` : fault;
  });
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return parseBoundedJson(bytes, 'metadata.json', bounds);
  } catch (cause) {
    if (cause instanceof RefusedError) throw cause;
    const where = messageOf(cause).replace(/\s+/g, ' ');
    throw new RefusedError(`metadata.json is not valid JSON in UTF-8: ${where}`, { cause });
  }
}

/** Members of a feature that hold values of requests, which may be any text. */
const namesValues = new Set(['codes', 'enum', 'default', 'example']);

/** Whether every text is valid Unicode. A JSON parser may refuse a whole response for half of a surrogate pair. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(
    ([name, it]) => namesValues.has(name) || (name.isWellFormed() && isWellFormed(it)),
  );
}

function refuse(faults: readonly string[]): RefusedError {
  const rest = faults.length > maxListed ? `; and ${faults.length - maxListed} more` : '';
  return new RefusedError(`metadata.json: ${faults.slice(0, maxListed).join('; ')}${rest}`);
}
