import { readFile } from 'node:fs/promises';
import { RefusedError } from '../errors.js';
import { modelNamePattern, versionNamePattern } from '../models/manifest/names.js';
import type { TaskName } from '../models/proposal/propose-task.js';
import type { Listing } from '../models/registry/directory.js';
import { orderVersions } from '../models/registry/version-order.js';
import { type Args, UsageError } from './terminal/command.js';

export const tasks = ['classification', 'regression', 'tensor'] as const;

export async function readGiven(path: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (path === undefined) return {};
  let file: unknown;
  try {
    file = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new RefusedError(`${path} is not valid JSON: ${cause.message}`, { cause });
    throw cause;
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw new RefusedError(`${path} must hold an object`);
  // The digests are computed from the written files.
  const { sha256: _, ...given } = file as Record<string, unknown>;
  return given;
}

export const textOf = (given: Readonly<Record<string, unknown>>, key: string) =>
  typeof given[key] === 'string' ? given[key] : undefined;

export function chooseName(args: Args, given: Readonly<Record<string, unknown>>): string {
  for (const key of ['name', 'version', 'task'] as const) {
    const [option, file] = [args.text(key), textOf(given, key)];
    if (option !== undefined && file !== undefined && option !== file) {
      throw new UsageError(`--${key} is ${option}, but the manifest says ${file}`);
    }
  }
  const name = args.text('name') ?? textOf(given, 'name');
  if (name === undefined) throw new UsageError('--name is missing');
  return name;
}

export function readTask(args: Args): TaskName | undefined {
  const text = args.text('task');
  const task = tasks.find((known) => known === text);
  if (text !== undefined && task === undefined)
    throw new UsageError(`--task must be one of ${tasks.join(', ')}`);
  return task;
}

export async function readCompanions(args: Args): Promise<Record<string, Buffer>> {
  const companions: Record<string, Buffer> = {};
  for (const name of ['golden', 'reference']) {
    const path = args.text(name);
    if (path !== undefined) companions[`${name}.json`] = await readFile(path);
  }
  return companions;
}

/** Throws if a name is invalid, or would break the order of the existing versions and so their `latest`. */
export function checkNames(name: string, version: string, listing: Listing): void {
  if (!modelNamePattern.test(name)) throw new UsageError(`--name must match ${modelNamePattern.source}`);
  if (!versionNamePattern.test(version))
    throw new UsageError(`--version must match ${versionNamePattern.source}`);
  if (version === 'latest') throw new UsageError('--version: latest is reserved');
  if (listing.aliases.aliases.has(name))
    throw new RefusedError(`${name} is an alias of a model already: choose another --name`);
  const listed = listing.models.find((it) => it.name === name);
  if (listed?.aliases.aliases.has(version))
    throw new RefusedError(`${version} is an alias already: choose another --version`);
  const existing = listed?.versions.map((it) => it.name) ?? [];
  const fault = existing.includes(version)
    ? undefined
    : orderVersions([...existing, version]).faults.get(version);
  if (fault !== undefined) throw new RefusedError(`--version ${version} would be refused: ${fault}`);
}

export function toClass(text: string): string | number | boolean {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}

/** Classes have one type: mixed types become texts. */
export function toUniform(
  classes: readonly (string | number | boolean)[],
): readonly (string | number | boolean)[] {
  return classes.every((it) => typeof it === typeof classes[0]) ? classes : classes.map(String);
}
