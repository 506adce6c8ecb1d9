import { dirname } from 'node:path';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { messageOf } from '../../errors.js';
import { placesOf } from '../../files/file-place.js';
import { readRegularFile } from '../../files/regular-file.js';
import { describeValue } from '../../text/describe-value.js';
import { parseJson } from '../../text/parse-json.js';

/** Alias → name, as in an `aliases.json`. */
export type Aliases = ReadonlyMap<string, string>;

export interface AliasFile {
  readonly aliases: Aliases;
  readonly problem?: string;
  /** The file is broken and no sound file came before it, so the names behind the aliases are unknown. */
  readonly isUnknown?: boolean;
}

const noAliases: Aliases = new Map();
const maxBytes = 1_048_576;
const AliasObject = TypeCompiler.Compile(Type.Record(Type.String(), Type.String()));

/**
 * Reads an `aliases.json`. Without a file there are no aliases; a broken file gives its problem and no aliases.
 * An alias must match `namePattern` and must not be one of `existing`. A link must not lead out of `root`.
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

/** The aliases in force after a file was read: if it is broken, those from before, if they are known. */
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
    file = parseJson(bytes);
  } catch {
    return refuse('is not valid JSON in UTF-8');
  }
  if (!AliasObject.Check(file)) return refuse('must be an object of names, such as {"default": "1"}');
  const taken = new Set(existing);
  for (const alias of Object.keys(file)) {
    if (!namePattern.test(alias)) return refuse(`${describeValue(alias)} is not a valid name for an alias`);
    if (alias === 'latest') return refuse('"latest" is reserved');
    if (taken.has(alias)) return refuse(`${describeValue(alias)} is already the name of a model or version`);
  }
  return { aliases: new Map(Object.entries(file)) };
}
