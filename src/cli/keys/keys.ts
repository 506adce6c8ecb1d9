import { keyIdForm, keyIdPattern, keyPrefix } from '../../auth/keys-file.js';
import { type Args, type CliContext, type Command, suggest, UsageError } from '../terminal/command.js';
import { printable } from '../terminal/terminal-text.js';
import { createKey } from './create.js';
import { listKeys } from './list.js';
import { revokeKeys } from './revoke.js';

export interface KeysRequest {
  readonly path: string;
  readonly args: Args;
  readonly context: CliContext;
  readonly now: Date;
}

/** The options of each subcommand besides --file. */
const optionsOf: Readonly<Record<'create' | 'list' | 'revoke', readonly string[]>> = {
  create: ['scopes', 'models', 'max', 'rows', 'window', 'expires'],
  list: ['json'],
  revoke: ['sha256', 'all'],
};

export const keys: Command = {
  summary: 'creates, lists and revokes API keys',
  help: `Usage: sardonyx keys create ID [--scopes predict,read] [--models a,b] [--max N [--rows N] [--window TIME]] [--expires WHEN]
       sardonyx keys list [--json]
       sardonyx keys revoke ID [--sha256 PREFIX | --all]

ID is the name of a client. create prints the new key once, on standard output: the file holds only its digest. A
client may have several keys. To change a key without a pause, create the new key, give it to the client, then revoke
the old key. A new key of an ID gets the scopes, models and limit of its last key, unless options say otherwise.

  --scopes A,B   what the key may do: predict, read, metrics, admin (predict,read)
  --models A,B   names of the models that the key may use (all)
  --max N        limit of requests in a window, in place of the server's limit
  --rows N       limit of rows of batches in the same window, in place of the server's limit
  --window TIME  window of the limits, such as "1 minute", "30 seconds" or "1 day" (1 minute)
  --expires WHEN end of the key, such as 90d or 2027-01-01, which is midnight in UTC (never)
  --sha256 P     revokes the key whose digest begins with P
  --all          revokes all keys of the ID
  --json         prints the entries as JSON
  --file PATH    file of the keys (API_KEYS_FILE)
`,
  options: {
    ...Object.fromEntries(
      ['scopes', 'models', 'max', 'rows', 'window', 'expires', 'sha256', 'file'].map(
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
    if (foreign !== undefined) throw new UsageError(`--${foreign} is not an option of keys ${name}`);
    const path = args.text('file') ?? (context.env['API_KEYS_FILE'] || undefined);
    if (path === undefined)
      throw new UsageError('the file of keys is missing: give --file PATH, or set API_KEYS_FILE');
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
