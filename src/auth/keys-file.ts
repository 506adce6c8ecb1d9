import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { RefusedError } from '../errors.js';
import { modelNamePattern } from '../models/manifest/names.js';
import { parseJson } from '../text/parse-json.js';
import { describeSchemaErrors } from '../text/schema-errors.js';
import { readWindowMs, windowForm, windowPattern } from '../time/duration.js';
import { readTime, timeForm } from '../time/timestamp.js';
import type { ApiKey, Scope } from './api-key.js';

const strict = { additionalProperties: false } as const;
export const keyIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const keyIdForm =
  'up to 64 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or digit; the name of a client, and not a key';

/** Prefix of our keys. An id must not begin with it, so that no key is used as an id by mistake. */
export const keyPrefix = 'sdx_';

const RateLimit = Type.Object(
  {
    max: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
    rows: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    window: Type.Optional(Type.String({ pattern: windowPattern.source, description: windowForm })),
  },
  strict,
);

const KeyEntry = Type.Object(
  {
    id: Type.String({ pattern: keyIdPattern.source, description: keyIdForm }),
    sha256: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'the SHA-256 of the key: 64 hexadecimal digits in lower case',
    }),
    scopes: Type.Array(
      Type.Union([
        Type.Literal('predict'),
        Type.Literal('read'),
        Type.Literal('metrics'),
        Type.Literal('admin'),
      ]),
      { minItems: 1, uniqueItems: true },
    ),
    models: Type.Optional(
      Type.Array(
        Type.String({
          pattern: `^\\*$|${modelNamePattern.source}`,
          description: 'the name of a model, or "*" for all',
        }),
        { minItems: 1, uniqueItems: true },
      ),
    ),
    rateLimit: Type.Optional(RateLimit),
    expires: Type.Optional(Type.String()),
  },
  strict,
);

export type KeyEntry = Static<typeof KeyEntry>;

const compiled = TypeCompiler.Compile(Type.Array(KeyEntry));
const maxListed = 8;

/** Throws `RefusedError` with all problems by JSON pointer, in one line, without values: any of them may be a key. */
export function parseKeyEntries(bytes: Uint8Array): readonly KeyEntry[] {
  const file = parseKeys(bytes);
  if (!compiled.Check(file)) {
    throw refuse(describeSchemaErrors(compiled.Errors(file), { showsValues: false }).map(hideSecrets));
  }
  const faults = [...findFaults(file)];
  if (faults.length > 0) throw refuse(faults);
  return file;
}

export function toApiKey({ id, sha256, scopes, models = ['*'], rateLimit, expires }: KeyEntry): ApiKey {
  const windowMs = readWindowMs(rateLimit?.window ?? defaultWindow);
  const { max, rows } = rateLimit ?? {};
  return {
    id,
    sha256,
    scopes: new Set<Scope>(scopes),
    models: models.includes('*') ? undefined : new Set(models),
    limit: max === undefined ? undefined : { max, windowMs },
    rowLimit: rows === undefined ? undefined : { max: rows, windowMs },
    expiresAt: expires === undefined ? undefined : readTime(expires),
  };
}

export const defaultWindow = '1 minute';

function parseKeys(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    // The parser's message quotes the file, so it is dropped, and no cause is set.
    const position = error instanceof SyntaxError ? /position (\d+)/.exec(error.message)?.[1] : undefined;
    throw refuse([
      position === undefined
        ? 'is not valid JSON in UTF-8'
        : `is not valid JSON, from character ${position} on`,
    ]);
  }
}

function* findFaults(entries: readonly KeyEntry[]): Generator<string> {
  const digests = new Map<string, number>();
  const first = new Map<string, { index: number; limit: string }>();
  for (const [index, { id, sha256, models, rateLimit, expires }] of entries.entries()) {
    if (id.startsWith(keyPrefix)) yield `/${index}/id must not begin with ${keyPrefix}, as keys do`;
    const twin = digests.get(sha256);
    if (twin !== undefined) yield `/${index}/sha256 is already in /${twin}`;
    else digests.set(sha256, index);
    if (models?.includes('*') && models.length > 1) yield `/${index}/models must have "*" alone, or no "*"`;
    if (expires !== undefined && readTime(expires) === undefined)
      yield `/${index}/expires must be ${timeForm}`;
    const limit = rateLimit && describeLimit(rateLimit);
    const before = first.get(id);
    if (before === undefined) first.set(id, { index, limit: String(limit) });
    else if (before.limit !== String(limit)) {
      yield `/${index}/rateLimit must be that of /${before.index}: keys of one id share one limit`;
    }
  }
}

function describeLimit({ max, rows, window = defaultWindow }: NonNullable<KeyEntry['rateLimit']>): string {
  return `${max} and ${rows} rows in ${readWindowMs(window)}`;
}

function hideSecrets(fault: string): string {
  return fault.replace(/sdx_[\w-]*|[0-9A-Za-z_-]{32,}/g, '…');
}

function refuse(faults: readonly string[]): RefusedError {
  const rest = faults.length > maxListed ? `; and ${faults.length - maxListed} more` : '';
  return new RefusedError(`${faults.slice(0, maxListed).join('; ')}${rest}`);
}
