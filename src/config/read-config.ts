import { totalmem } from 'node:os';
import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { ConfigError } from '../errors.js';
import { describeValue, hideLogin } from '../text/describe-value.js';
import { nearestNames } from '../text/did-you-mean.js';
import { ConfigSchema } from './schema.js';

export type Config = Static<typeof ConfigSchema>;

/**
 * An empty variable counts as left out. Throws `ConfigError` with one line for each wrong variable: its name, the value
 * that it got, the values that it takes.
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
  if (config['JOBS_WORK'] === 'off' && config['REDIS_URL'] === undefined && !environment['STATE_DIR'])
    lines.push('JOBS_WORK: "off" needs REDIS_URL, or a STATE_DIR that the server shares with workers');
  if (lines.length > 0) throw new ConfigError(lines);
  // Each property has passed its own schema, and the others have their defaults.
  return config as Config;
}

/** The maximum edit distance of a misspelt variable, and its minimum length. */
const misspelling = { maxDistance: 2, minLength: 6 };

/**
 * Finds unknown variables whose names are close to one of ours. They are warnings, not errors: an environment has
 * variables of many other programs.
 */
export function findMisspelt(
  environment: Readonly<Record<string, string | undefined>>,
): readonly { readonly variable: string; readonly meant: string }[] {
  const known = Object.keys(ConfigSchema.properties);
  return Object.keys(environment).flatMap((variable) => {
    if (variable.length < misspelling.minLength || known.includes(variable)) return [];
    const [meant] = nearestNames(variable, known, 1, misspelling.maxDistance);
    return meant === undefined ? [] : [{ variable, meant }];
  });
}

/** Describes the values that a variable takes. */
export function describeSchema(schema: TSchema): string {
  if (Array.isArray(schema['anyOf'])) {
    return `one of ${schema['anyOf'].map((option: TSchema) => option['const']).join(', ')}`;
  }
  if (schema['type'] === 'integer') return `a whole number from ${schema['minimum']} to ${schema['maximum']}`;
  return schema['takes'] ?? 'text';
}

/** The limits of loads and runs. The default for memory is half of that of the machine or the container. */
export function limitsOf(
  config: Pick<Config, 'MODEL_LOAD_TIMEOUT_MS' | 'MAX_MODEL_MEMORY_MB' | 'MAX_OUTPUT_BYTES'>,
): { loadTimeoutMs: number; maxMemoryBytes: number; maxOutputBytes: number } {
  // Without a container the limit is 0, or more than any machine has.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const half = Math.min(constrained, totalmem()) / 2;
  return {
    loadTimeoutMs: config.MODEL_LOAD_TIMEOUT_MS,
    maxMemoryBytes: config.MAX_MODEL_MEMORY_MB === undefined ? half : config.MAX_MODEL_MEMORY_MB * 1_048_576,
    maxOutputBytes: config.MAX_OUTPUT_BYTES,
  };
}
