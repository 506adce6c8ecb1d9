import { join } from 'node:path';
import { messageOf, RefusedError } from '../errors.js';
import { withLock } from '../files/file-lock.js';
import { replaceFile } from '../files/replace-file.js';
import { versionNamePattern } from '../models/manifest/names.js';
import { type Aliases, readAliases } from '../models/registry/aliases.js';
import { newestName, orderVersions } from '../models/registry/version-order.js';
import { toDefaultCommand } from './default-command.js';

/** A version that has been added, and what lies beside it. */
export interface Addition {
  readonly root: string;
  readonly name: string;
  readonly version: string;
  /** The model's other versions. Whether they load is not known. */
  readonly existing: readonly string[];
  readonly aliases: Aliases;
  /** Why those are not known. */
  readonly aliasProblem?: string | undefined;
}

const patienceMs = 5_000;

/**
 * Makes the added version the model's default. The aliases are read again under a lock: the load took up to a minute, in
 * which another command may have changed them. Throws `RefusedError` where `aliases.json` cannot be written.
 */
export async function setDefault({ root, name, version, existing }: Addition): Promise<string> {
  const path = join(root, name, 'aliases.json');
  try {
    await withLock(path, patienceMs, async () => {
      const { aliases, problem } = await readAliases(path, versionNamePattern, [...existing, version], root);
      if (problem !== undefined) throw new RefusedError(`mend ${name}/${problem}`);
      const file = { ...Object.fromEntries(aliases), default: version };
      await replaceFile(path, Buffer.from(`${JSON.stringify(file, null, 2)}\n`), 0o666);
    });
  } catch (cause) {
    throw new RefusedError(`the version is written, and is not the default: ${messageOf(cause)}`, { cause });
  }
  return `\nThe alias default names ${version} now.\n`;
}

/** Says where the added version is not what answers for the model alone, and gives the command that makes it so. */
export function describeDefault(addition: Addition): string {
  const { root, name, version, existing, aliases, aliasProblem } = addition;
  if (aliasProblem !== undefined)
    return `\nNo version answers for ${name} alone until ${name}/aliases.json is mended (${aliasProblem}).\n`;
  const reason = whyNotDefault(addition);
  if (reason === undefined)
    return existing.length === 0
      ? ''
      : `\nA server answers for ${name} with ${version} from its next start on.\n`;
  const command = toDefaultCommand(root, name, aliases, version);
  return `\n${reason}\nTo make ${version} what answers for ${name}:\n  ${command}\n`;
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
    return `${newest} is still what answers for ${name}: ${version} ${why}.`;
  }
  const sound = [...existing, version].filter((it) => !order.faults.has(it)).sort();
  return sound.length === 1
    ? undefined
    : `The versions ${sound.join(', ')} have no order among their names: while more than one of them loads, none answers for ${name} alone.`;
}
