import { dirname } from 'node:path';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { messageOf } from '../../errors.js';
import { placesOf } from '../../files/file-place.js';
import { readRegularFile } from '../../files/regular-file.js';
import { describeValue } from '../../text/describe-value.js';

/** The second names that an `aliases.json` gives: alias → name. */
export type Aliases = ReadonlyMap<string, string>;

/** What an `aliases.json` says, or why it says nothing. */
export interface AliasFile {
  readonly aliases: Aliases;
  readonly problem?: string;
  /** The file is broken and none was sound before it, so that nobody knows what an alias names. */
  readonly isUnknown?: boolean;
}

const noAliases: Aliases = new Map();
const maxBytes = 1_048_576;
const AliasObject = TypeCompiler.Compile(Type.Record(Type.String(), Type.String()));

/**
 * Reads an `aliases.json`, if there is one. `namePattern` is what an alias must match, `existing` are the names
 * it may not take, and `root` is the registry, which a link may not leave. A broken file gives no aliases at all, and
 * its problem.
 */
export async function readAliases(
  path: string,
  namePattern: RegExp,
  existing: readonly string[],
  root = dirname(path),
): Promise<AliasFile> {
  try {
    const within = await placesOf([dirname(path), root]);
    const bytes = await readRegularFile(path, 'aliases.json', maxBytes, { within });
    if (bytes === undefined) return { aliases: noAliases };
    return parseAliases(bytes, namePattern, existing);
  } catch (error) {
    return { aliases: noAliases, problem: messageOf(error), isUnknown: true };
  }
}

/** What is in force after a file was read: where it is broken, the aliases from before, if those are known. */
export function keepLastGood(
  before: Pick<AliasFile, 'aliases' | 'isUnknown'> | undefined,
  file: AliasFile,
): AliasFile {
  const { problem } = file;
  if (problem === undefined || before === undefined || before.isUnknown) return file;
  return { aliases: before.aliases, problem };
}

function parseAliases(bytes: Uint8Array, namePattern: RegExp, existing: readonly string[]): AliasFile {
  const refuse = (problem: string): AliasFile => ({
    aliases: noAliases,
    problem: `aliases.json: ${problem}`,
    isUnknown: true,
  });
  let file: unknown;
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return refuse('is not valid JSON in UTF-8');
  }
  if (!AliasObject.Check(file)) return refuse('must be an object of names, such as {"default": "1"}');
  const taken = new Set(existing);
  for (const alias of Object.keys(file)) {
    if (!namePattern.test(alias))
      return refuse(`${describeValue(alias)} is not a name that an alias can have`);
    if (alias === 'latest') return refuse('"latest" is reserved');
    if (taken.has(alias)) return refuse(`${describeValue(alias)} is the name of something that exists`);
  }
  return { aliases: new Map(Object.entries(file)) };
}
