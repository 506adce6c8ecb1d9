import { join } from 'node:path';
import { messageOf, RefusedError } from '../errors.js';
import { withLock } from '../files/file-lock.js';
import { replaceFile } from '../files/replace-file.js';
import { versionNamePattern } from '../models/manifest/names.js';
import { type Aliases, readAliases } from '../models/registry/aliases.js';
import { newestName, orderVersions } from '../models/registry/version-order.js';
import { toDefaultCommand } from './default-command.js';

export interface Addition {
  readonly root: string;
  readonly name: string;
  readonly version: string;
  /** The model's other versions. They may not load. */
  readonly existing: readonly string[];
  readonly aliases: Aliases;
  /** Why the aliases cannot be read. */
  readonly aliasProblem?: string | undefined;
}

const lockTimeoutMs = 5_000;

/**
 * Makes the added version the model's default. The aliases are read again under a lock, because another command may
 * have changed them during the load of up to a minute. Throws `RefusedError` if `aliases.json` cannot be written.
 */
export async function setDefault({ root, name, version, existing }: Addition): Promise<string> {
  const path = join(root, name, 'aliases.json');
  try {
    await withLock(path, lockTimeoutMs, async () => {
      const { aliases, problem } = await readAliases(path, versionNamePattern, [...existing, version], root);
      if (problem !== undefined) throw new RefusedError(`correct ${name}/${problem}`);
      const file = { ...Object.fromEntries(aliases), default: version };
      await replaceFile(path, Buffer.from(`${JSON.stringify(file, null, 2)}\n`), 0o666);
    });
  } catch (cause) {
    throw new RefusedError(`the version is written, but it is not the default: ${messageOf(cause)}`, {
      cause,
    });
  }
  return `\nThe alias default now names ${version}.\n`;
}

/** If the added version is not the model's default, returns the reason and the command that makes it the default. */
export function describeDefault(addition: Addition): string {
  const { root, name, version, existing, aliases, aliasProblem } = addition;
  if (aliasProblem !== undefined)
    return `\nNo version is the default of ${name} until ${name}/aliases.json is corrected (${aliasProblem}).\n`;
  const reason = whyNotDefault(addition);
  if (reason === undefined)
    return existing.length === 0
      ? ''
      : `\nAfter its next start, a server answers requests for ${name} with ${version}.\n`;
  const command = toDefaultCommand(root, name, aliases, version);
  return `\n${reason}\nTo make ${version} the default of ${name}:\n  ${command}\n`;
}

function whyNotDefault({ version, existing, aliases, name }: Addition): string | undefined {
  const current = aliases.get('default');
  if (current !== undefined)
    return current === version ? undefined : `The alias default still names ${current}.`;
  const order = orderVersions([...existing, version]);
  const newest = newestName(order.ascending);
  if (newest === version) return undefined;
  if (newest !== undefined) {
    const why = order.ascending.includes(version) ? 'comes before it' : 'has a name without an order';
    return `${newest} is still the default of ${name}: ${version} ${why}.`;
  }
  const sound = [...existing, version].filter((it) => !order.faults.has(it)).sort();
  return sound.length === 1
    ? undefined
    : `The versions ${sound.join(', ')} have names without an order: while more than one of them loads, none is the default of ${name}.`;
}
