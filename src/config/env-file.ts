import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from '../errors.js';

type Environment = Record<string, string | undefined>;

/** A line of a file of settings that is not read as it may have been meant. It holds no text of the file. */
export interface DoubtfulLine {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

/** What is read where no other file is named, and need not be there. */
const usualFile = '.env';
const assignment = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)$/;

/**
 * Adds the settings of a file to an environment: of the file that `ENV_FILE` names, else of `.env` in the folder where
 * one starts. A variable that is set already stays, also an empty one. Throws `ConfigError` where the file that is named
 * cannot be read.
 */
export function addEnvFile(environment: Environment): readonly DoubtfulLine[] {
  const file = environment['ENV_FILE'] || usualFile;
  const text = readText(file, file !== usualFile);
  if (typeof text !== 'string') return text === undefined ? [] : [{ file, line: 0, problem: text.problem }];
  const { sound, doubts } = readLines(text.replace(/^\uFEFF/, '').split(/\r?\n/));
  for (const [name, value] of Object.entries(parseEnv(sound.join('\n')))) environment[name] ??= value;
  return doubts.map((doubt) => ({ file, ...doubt }));
}

function readText(file: string, isNamed: boolean): string | { readonly problem: string } | undefined {
  try {
    // A folder of the usual name is a virtual environment of Python. A pipe would be waited for, unless it is one that a
    // shell has opened: `ENV_FILE=<(…)`.
    const stats = statSync(file);
    if (!isNamed && !stats.isFile()) return undefined;
    if (stats.isFIFO() && !/^\/(?:dev|proc\/self)\/fd\//.test(file))
      throw new ConfigError([`ENV_FILE: ${file} is a pipe: name a file`]);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (isNamed) throw new ConfigError([`ENV_FILE: ${file} cannot be read (${code})`]);
    return code === 'ENOENT' ? undefined : { problem: `the file cannot be read (${code})` };
  }
}

/**
 * Takes out the lines that are no settings: with one of them Node's own parser loses the line behind it (20.20.2). What
 * it would read otherwise than it seems stays, and is told.
 */
function readLines(lines: readonly string[]) {
  const sound: string[] = [];
  const doubts: Omit<DoubtfulLine, 'file'>[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const text = lines[at] ?? '';
    const line = at + 1;
    if (/^\s*(?:#|$)/.test(text)) continue;
    const value = assignment.exec(text)?.[2];
    if (value === undefined) {
      doubts.push({ line, problem: 'it is no NAME=value, and is not read' });
      continue;
    }
    const quote = /^["'`]/.exec(value)?.[0];
    if (quote === undefined) {
      if (/[^\s#]#/.test(value))
        doubts.push({ line, problem: 'its value ends before the #: put it in quotes' });
      sound.push(text);
      continue;
    }
    const end = value.includes(quote, 1) ? at : lines.findIndex((it, k) => k > at && it.includes(quote));
    if (end < 0) {
      doubts.push({ line, problem: `its ${quote} has no second one, and it is not read` });
      continue;
    }
    sound.push(...lines.slice(at, end + 1));
    at = end;
  }
  return { sound, doubts };
}
