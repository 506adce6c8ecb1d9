import { totalmem } from 'node:os';
import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { ConfigError } from '../errors.js';
import { describeValue, hideLogin } from '../text/describe-value.js';
import { nearestNames } from '../text/did-you-mean.js';
import { ConfigSchema } from './schema.js';

export type Config = Static<typeof ConfigSchema>;

/**
 * Reads the configuration from environment variables. An empty one counts as left out.
 * Throws `ConfigError` with a line for each wrong one: the variable, what it got, what it takes.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const lines: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries<TSchema>(ConfigSchema.properties)) {
    const text = environment[name];
    if (text === undefined || text === '') {
      if (schema.default !== undefined) config[name] = schema.default;
      continue;
    }
    const value = schema['type'] === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
    const isRead = schema['read'] === undefined || schema['read'](text) !== undefined;
    if (isRead && Value.Check(schema, value)) config[name] = value;
    else lines.push(`${name}: got ${describeValue(hideLogin(text))}, takes ${describeSchema(schema)}`);
  }
  for (const [one, other] of [
    ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
    ['TLS_KEY_FILE', 'TLS_CERT_FILE'],
    ['REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'],
    ['REDIS_TLS_KEY_FILE', 'REDIS_TLS_CERT_FILE'],
  ] as const) {
    if (config[one] !== undefined && !environment[other])
      lines.push(`${other}: is missing, and ${one} needs it`);
  }
  if (lines.length > 0) throw new ConfigError(lines);
  // Each property has passed its own schema, and the others have their defaults.
  return config as Config;
}

/** Letters that a misspelt variable may be apart from the one that is meant, and how long it is at least. */
const misspelling = { most: 2, length: 6 };

/**
 * Variables that nobody reads, with the one of ours that each nearly is. An environment is full of others' variables:
 * such a one is no error.
 */
export function findMisspelt(
  environment: Readonly<Record<string, string | undefined>>,
): readonly { readonly variable: string; readonly meant: string }[] {
  const known = Object.keys(ConfigSchema.properties);
  return Object.keys(environment).flatMap((variable) => {
    if (variable.length < misspelling.length || known.includes(variable)) return [];
    const [meant] = nearestNames(variable, known, 1, misspelling.most);
    return meant === undefined ? [] : [{ variable, meant }];
  });
}

/** What a variable takes, in words. */
export function describeSchema(schema: TSchema): string {
  if (Array.isArray(schema['anyOf'])) {
    return `one of ${schema['anyOf'].map((option: TSchema) => option['const']).join(', ')}`;
  }
  if (schema['type'] === 'integer') return `a whole number from ${schema['minimum']} to ${schema['maximum']}`;
  return schema['takes'] ?? 'text';
}

/** What the loads and runs of models may take. Without a limit of memory: half of the machine's or the container's. */
export function limitsOf(
  config: Pick<Config, 'MODEL_LOAD_TIMEOUT_MS' | 'MAX_MODEL_MEMORY_MB' | 'MAX_OUTPUT_BYTES'>,
): { loadTimeoutMs: number; maxMemoryBytes: number; maxOutputBytes: number } {
  // Where there is no container, the constraint is 0 or beyond what any machine has.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const half = Math.min(constrained, totalmem()) / 2;
  return {
    loadTimeoutMs: config.MODEL_LOAD_TIMEOUT_MS,
    maxMemoryBytes: config.MAX_MODEL_MEMORY_MB === undefined ? half : config.MAX_MODEL_MEMORY_MB * 1_048_576,
    maxOutputBytes: config.MAX_OUTPUT_BYTES,
  };
}
