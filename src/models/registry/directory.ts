import type { Dirent } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../errors.js';
import { describeValue } from '../../text/describe-value.js';
import { modelNamePattern, versionNamePattern } from '../manifest/names.js';
import { type AliasFile, readAliases } from './aliases.js';

export interface ListedVersion {
  readonly name: string;
  readonly path: string;
}

export interface ListedModel {
  readonly name: string;
  readonly versions: readonly ListedVersion[];
  readonly aliases: AliasFile;
  /** False if the folder could not be read: its versions are then unknown. */
  readonly isReadable: boolean;
}

/** The content of a registry's folder. Of all files, only `aliases.json` has been read. */
export interface Listing {
  readonly models: readonly ListedModel[];
  readonly aliases: AliasFile;
  /** Skipped folders and broken `aliases.json` files, with the reason: for the log and for `sardonyx check`. */
  readonly skipped: readonly string[];
}

/**
 * Lists the models and versions below a folder. Names that begin with a dot are work in progress: no remark.
 * Throws the file system's error if the folder itself cannot be read.
 */
export async function listDirectory(root: string): Promise<Listing> {
  const skipped: string[] = [];
  const names = await listFolders(root, modelNamePattern, 'a model', skipped, '');
  const models = await Promise.all(names.map((name) => listModel(root, name, skipped)));
  const aliases = await readAliases(join(root, 'aliases.json'), modelNamePattern, names);
  if (aliases.problem !== undefined) skipped.push(aliases.problem);
  return { models, aliases, skipped: skipped.sort() };
}

async function listModel(root: string, name: string, skipped: string[]): Promise<ListedModel> {
  const folder = join(root, name);
  const found = await listFolders(folder, versionNamePattern, 'a version', skipped, `${name}/`).catch(
    (error) => {
      skipped.push(`${name}: the folder cannot be read (${codeOf(error)})`);
      return undefined;
    },
  );
  const versions: ListedVersion[] = [];
  for (const version of found ?? []) {
    const path = join(folder, version);
    // A metadata.json of any kind counts, even a folder: a wrong one is then refused by name, not skipped.
    if (await exists(join(path, 'metadata.json'))) versions.push({ name: version, path });
    else skipped.push(`${name}/${version}: has no metadata.json, so it is not a version yet`);
  }
  const names = versions.map((version) => version.name);
  const aliases = await readAliases(join(folder, 'aliases.json'), versionNamePattern, names, root);
  if (aliases.problem !== undefined) skipped.push(`${name}/${aliases.problem}`);
  return { name, versions, aliases, isReadable: found !== undefined };
}

async function listFolders(
  folder: string,
  pattern: RegExp,
  what: string,
  skipped: string[],
  prefix: string,
): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.') || !(await isFolder(folder, entry))) continue;
    if (pattern.test(entry.name)) names.push(entry.name);
    else
      skipped.push(
        `${prefix}${toAscii(describeValue(entry.name))}: is not a valid name for ${what} (${pattern.source})`,
      );
  }
  return names.sort();
}

/** A link to a folder counts, since volumes are mounted that way. */
async function isFolder(parent: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const target = await stat(join(parent, entry.name)).catch(() => undefined);
  return target?.isDirectory() ?? false;
}

/** Escapes letters beyond ASCII, which may look like other letters. */
function toAscii(text: string): string {
  return text.replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error) => codeOf(error) !== 'ENOENT',
  );
}
