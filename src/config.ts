import { totalmem } from 'node:os';
import { FormatRegistry, type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { describeValue } from './messages.js';
import { originsForm, readOrigins } from './origins.js';
import { proxiesForm, readTrustedProxies } from './trusted-proxies.js';
import { windowForm, windowPattern } from './window.js';

const Switch = (description: string) =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on', description });
const Milliseconds = (description: string, value: number, minimum = 0) =>
  Type.Integer({ minimum, maximum: 3_600_000, default: value, description });

/** Texts that have a form of their own, by the name that the schema gives it. */
const forms: Readonly<Record<string, string>> = { proxies: proxiesForm, origins: originsForm };
FormatRegistry.Set('proxies', (text) => readTrustedProxies(text) !== undefined);
FormatRegistry.Set('origins', (text) => readOrigins(text) !== undefined);

/**
 * Every variable that the server reads: its type, its default, its meaning. `docs/configuration.md` and
 * `.env.example` are made from this, and held to it by a test.
 */
export const ConfigSchema = Type.Object({
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description: 'Address to listen on; 0.0.0.0 for every network of the machine.',
  }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8_000,
    description: 'Port to listen on; 0 for any free one.',
  }),
  TLS_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The certificate, with those that lead to its root, as PEM: the server then speaks HTTPS. Needs TLS_KEY_FILE; both are watched.',
    }),
  ),
  TLS_KEY_FILE: Type.Optional(
    Type.String({ minLength: 1, description: 'The private key of the certificate, as PEM.' }),
  ),
  TRUST_PROXY: Type.Optional(
    Type.String({
      format: 'proxies',
      description:
        'Proxies whose X-Forwarded-For is believed: addresses or networks with commas between ("10.0.0.0/8"), or their number, where nothing else can reach the server. Without it: none.',
    }),
  ),
  CORS_ORIGINS: Type.Optional(
    Type.String({
      format: 'origins',
      description:
        'Origins whose pages may ask from a browser, with commas between ("https://app.example.com"), or "*" for any. Without it: none.',
    }),
  ),
  AUTH: Switch(
    '"off" answers whoever can reach the server. Without keys it must be said on any HOST but a loopback one.',
  ),
  API_KEYS_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The file of API keys, which `sardonyx keys` writes. It is watched.',
    }),
  ),
  API_KEYS: Type.Optional(
    Type.String({ minLength: 1, description: 'The API keys themselves: the same JSON as in the file.' }),
  ),
  METRICS_AUTH: Type.Union([Type.Literal('open'), Type.Literal('key')], {
    default: 'open',
    description: '"key" asks for a key with the scope "metrics" at /metrics.',
  }),
  RATE_LIMIT_MAX: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description:
        'The most requests in a RATE_LIMIT_WINDOW from one address without a key, and with a key that has no limit of its own; 0 for no limit. Without it: 100 an address, none on a loopback HOST, and none for keys.',
    }),
  ),
  RATE_LIMIT_WINDOW: Type.String({
    pattern: windowPattern.source,
    default: '1 minute',
    description: 'The time in which RATE_LIMIT_MAX are let in.',
  }),
  REDIS_URL: Type.Optional(
    Type.String({
      pattern: '^rediss?://\\S+$',
      description:
        'The Redis that several servers share: limits then hold for all of them together, and answers are remembered for all. Predictions go on without it.',
    }),
  ),
  CACHE: Type.Optional(
    Type.Union(
      ['memory', 'redis', 'tiered', 'off'].map((kind) => Type.Literal(kind)),
      {
        description:
          'Where answers are remembered: in this process, in Redis, in both, or nowhere. Without it: tiered where there is a REDIS_URL, else memory.',
      },
    ),
  ),
  CACHE_TTL_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 31_536_000,
    default: 3_600,
    description: 'How long an answer is remembered.',
  }),
  CACHE_MAX_ENTRIES: Type.Integer({
    minimum: 1,
    maximum: 100_000_000,
    default: 100_000,
    description: 'The most answers that one process remembers; the longest unused goes first.',
  }),
  CACHE_MAX_MB: Type.Integer({
    minimum: 1,
    maximum: 1_048_576,
    default: 64,
    description: 'The most memory of one process for answers that it remembers.',
  }),
  MODELS_DIR: Type.String({
    minLength: 1,
    default: 'models',
    description: 'The registry: the folder that holds the models.',
  }),
  DEFAULT_MODEL: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The model that plain /predict means. Without it: the alias "default" of the registry, else the only model.',
    }),
  ),
  REQUIRED_MODELS: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Models that must answer before the server is ready: names with commas between, or "all". Without it: the default model, and one at least.',
    }),
  ),
  WORKERS: Type.Integer({
    minimum: 1,
    maximum: 256,
    default: 1,
    description: 'Processes that answer behind the one port. Each loads every model.',
  }),
  MODEL_LOAD_TIMEOUT_MS: Milliseconds(
    'The longest that the engine may take to open a version; then it is refused.',
    60_000,
    1,
  ),
  MAX_MODEL_MEMORY_MB: Type.Optional(
    Type.Integer({
      minimum: 128,
      maximum: 16_777_216,
      description:
        'The most memory of a process that runs one isolated version, or tries a version before it is served; above it, the process is ended. Without it: half of what the machine or the container has.',
    }),
  ),
  MAX_OUTPUT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 268_435_456,
    default: 16_777_216,
    description: 'The most bytes that the outputs of one run may have, as tensors.',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    {
      default: 'info',
      description:
        'How much is logged, to standard output, one JSON object a line. "debug" adds a line for each request. At a terminal "warn" is enough, unless it is set.',
    },
  ),
  BODY_LIMIT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 1_073_741_824,
    default: 8_388_608,
    description: 'The largest body of a request.',
  }),
  ERROR_DETAIL: Switch(
    '"off" leaves the list of problems out of a 400, for those who hold that a schema is a secret.',
  ),
  DOCS: Switch('"off" hides the manual at /docs and /openapi.json.'),
  PUBLIC_URL: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s/]+(/\\S*)?$',
      description: 'The address that clients use, for links in errors and in the manual.',
    }),
  ),
  HEADERS_TIMEOUT_MS: Milliseconds(
    'The longest that the headers of a request may take to arrive.',
    10_000,
    1,
  ),
  REQUEST_TIMEOUT_MS: Milliseconds('The longest that a request may take to arrive whole.', 30_000, 1),
  RESPONSE_TIMEOUT_MS: Milliseconds(
    'The longest that a client may read nothing of an answer that is being sent; then the connection is cut.',
    30_000,
    1,
  ),
  KEEP_ALIVE_TIMEOUT_MS: Milliseconds(
    'How long an idle connection stays open. Longer than that of the proxy in front.',
    72_000,
  ),
  SHUTDOWN_DELAY_MS: Milliseconds(
    'How long the server goes on answering after SIGTERM while its readiness says 503.',
    0,
  ),
  SHUTDOWN_TIMEOUT_MS: Milliseconds(
    'After this long, a shutdown cuts the connections that are left.',
    10_000,
  ),
});

export type Config = Static<typeof ConfigSchema>;

/** A start that cannot be: one line a problem, for the person who started it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

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
    if (Value.Check(schema, value)) config[name] = value;
    else lines.push(`${name}: got ${describeValue(text)}, takes ${describeSchema(schema)}`);
  }
  for (const [one, other] of [
    ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
    ['TLS_KEY_FILE', 'TLS_CERT_FILE'],
  ] as const) {
    if (config[one] !== undefined && !environment[other])
      lines.push(`${other}: is missing, and ${one} needs it`);
  }
  if (lines.length > 0) throw new ConfigError(lines);
  // Each property has passed its own schema, and the others have their defaults.
  return config as Config;
}

/** What a variable takes, in words. */
export function describeSchema(schema: TSchema): string {
  if (Array.isArray(schema['anyOf'])) {
    return `one of ${schema['anyOf'].map((option: TSchema) => option['const']).join(', ')}`;
  }
  if (schema['type'] === 'integer') return `a whole number from ${schema['minimum']} to ${schema['maximum']}`;
  if (schema['format'] !== undefined) return forms[schema['format']] as string;
  if (schema['pattern'] === windowPattern.source) return windowForm;
  if (schema['pattern']?.startsWith('^redis')) return 'a redis:// or rediss:// address';
  return schema['pattern'] === undefined ? 'a text' : 'an http:// or https:// address';
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
