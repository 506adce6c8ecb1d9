import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from '../errors.js';

type Environment = Record<string, string | undefined>;

/** A line of the settings file that may be wrong. It holds no text of the file, which may be secret. */
export interface DoubtfulLine {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

/** Read if `ENV_FILE` is not set. It may be missing. */
const usualFile = '.env';
const assignment = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)$/;

/**
 * Adds the settings of a file to an environment: the file that `ENV_FILE` names, else `.env` in the working folder. A
 * variable that is set already keeps its value, even an empty one. Throws `ConfigError` if a named file cannot be read.
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
    // A folder named `.env` is usually a virtual environment of Python. Reading a named pipe would block; a pipe that
    // the shell has opened, `ENV_FILE=<(…)`, is fine.
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
 * Removes lines that are no settings, since Node's parser (20.20.2) loses the line after such a line. Each removed line
 * is reported, and so is each value that the parser cuts at a `#`.
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
      doubts.push({ line, problem: 'it is ignored: it is not of the form NAME=value' });
      continue;
    }
    const quote = /^["'`]/.exec(value)?.[0];
    if (quote === undefined) {
      if (/[^\s#]#/.test(value))
        doubts.push({ line, problem: 'its value ends before the #: put the value in quotes' });
      sound.push(text);
      continue;
    }
    const end = value.includes(quote, 1) ? at : lines.findIndex((it, k) => k > at && it.includes(quote));
    if (end < 0) {
      doubts.push({ line, problem: `it is ignored: the quote ${quote} is never closed` });
      continue;
    }
    sound.push(...lines.slice(at, end + 1));
    at = end;
  }
  return { sound, doubts };
}
