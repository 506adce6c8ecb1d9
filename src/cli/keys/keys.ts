import { keyIdForm, keyIdPattern, keyPrefix } from '../../auth/keys-file.js';
import { type Args, type CliContext, type Command, suggest, UsageError } from '../terminal/command.js';
import { printable } from '../terminal/terminal-text.js';
import { createKey } from './create.js';
import { listKeys } from './list.js';
import { revokeKeys } from './revoke.js';

/** What a subcommand works on. */
export interface KeysRequest {
  readonly path: string;
  readonly args: Args;
  readonly context: CliContext;
  readonly now: Date;
}

/** The options of each subcommand that are its own, beside --file. */
const optionsOf: Readonly<Record<'create' | 'list' | 'revoke', readonly string[]>> = {
  create: ['scopes', 'models', 'max', 'window', 'expires'],
  list: ['json'],
  revoke: ['sha256', 'all'],
};

export const keys: Command = {
  summary: 'makes, lists and revokes API keys',
  help: `Usage: sardonyx keys create ID [--scopes predict,read] [--models a,b] [--max N [--window TIME]] [--expires WHEN]
       sardonyx keys list [--json]
       sardonyx keys revoke ID [--sha256 PREFIX | --all]

ID names a client. create prints its new key on standard output, once: the file holds the digest alone. A client may
have several keys, so that it can change its key without a pause: create the new one, change the client, revoke the
old one. A further key of an ID may do what its last one may, unless other options are given.

  --scopes A,B   what the key may do: predict, read, metrics, admin (predict,read)
  --models A,B   the models that it may use, by name (all)
  --max N        its own limit of requests in a window
  --window TIME  such as "1 minute", "30 seconds" or "1 day" (1 minute)
  --expires WHEN such as 90d or 2027-01-01, which is midnight in UTC (never)
  --sha256 P     of several keys of the ID, the one whose digest begins so
  --all          all keys of the ID
  --json         the entries as JSON
  --file PATH    the file of keys (API_KEYS_FILE)
`,
  options: {
    ...Object.fromEntries(
      ['scopes', 'models', 'max', 'window', 'expires', 'sha256', 'file'].map(
        (name) => [name, { type: 'string' }] as const,
      ),
    ),
    all: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  maxPositionals: 2,
  async run(args, context) {
    const [name, id] = args.positionals;
    if (name === undefined) throw new UsageError('create, list or revoke is missing');
    if (!isSubcommand(name)) {
      const nearest = suggest(name, Object.keys(optionsOf));
      throw new UsageError(`${printable(name)} is not create, list or revoke${nearest}`);
    }
    const isGiven = (option: string) => args.flag(option) || args.text(option) !== undefined;
    const foreign = Object.keys(keys.options).find(
      (option) => option !== 'file' && !optionsOf[name].includes(option) && isGiven(option),
    );
    if (foreign !== undefined) throw new UsageError(`--${foreign} is not for keys ${name}`);
    const path = args.text('file') ?? (context.env['API_KEYS_FILE'] || undefined);
    if (path === undefined) throw new UsageError('which file? say --file PATH, or set API_KEYS_FILE');
    const request = { path, args, context, now: context.now?.() ?? new Date() };
    if (name === 'list') {
      if (id !== undefined) throw new UsageError(`${printable(id)} is one argument too many`);
      return listKeys(request);
    }
    if (id === undefined) throw new UsageError('the ID is missing: the name of a client');
    if (!keyIdPattern.test(id) || id.startsWith(keyPrefix))
      throw new UsageError(`the ID must be ${keyIdForm}`);
    return name === 'create' ? createKey(request, id) : revokeKeys(request, id);
  },
};

function isSubcommand(name: string): name is keyof typeof optionsOf {
  return Object.hasOwn(optionsOf, name);
}
