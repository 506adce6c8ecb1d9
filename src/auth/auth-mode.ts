import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';

type AccessConfig = Pick<Config, 'HOST' | 'AUTH' | 'API_KEYS_FILE' | 'API_KEYS' | 'METRICS_AUTH'>;

/** `open`: every client may send requests. The caller logs the warning. */
export type AccessMode =
  | { readonly mode: 'keys'; readonly warning?: never }
  | { readonly mode: 'open'; readonly warning: string };

/** Throws `ConfigError` if settings contradict each other, or would open the server to a network by oversight. */
export function readAccessMode(config: AccessConfig): AccessMode {
  const { HOST, AUTH, METRICS_AUTH } = config;
  const given = (['API_KEYS_FILE', 'API_KEYS'] as const).filter((name) => config[name] !== undefined);
  const lines: string[] = [];
  if (given.length > 1) lines.push('API_KEYS: is set beside API_KEYS_FILE; leave one of them out');
  if (given.length > 0 && AUTH === 'off') {
    lines.push(`AUTH: is "off" beside ${given.join(' and ')}; leave one of them out`);
  }
  if (given.length === 0 && METRICS_AUTH === 'key') {
    lines.push('METRICS_AUTH: "key" needs keys; set API_KEYS_FILE or API_KEYS');
  }
  if (given.length === 0 && AUTH === 'on' && !isLoopback(HOST)) {
    lines.push(
      `HOST: at ${HOST} other machines could send requests without a key; set API_KEYS_FILE (sardonyx keys create makes keys), or AUTH=off to allow that`,
    );
  }
  if (lines.length > 0) throw new ConfigError(lines);
  // A file without keys admits no client.
  if (given.length > 0) return { mode: 'keys' };
  const clients = isLoopback(HOST)
    ? 'every client on this machine'
    : 'every client that reaches this address';
  return {
    mode: 'open',
    warning: `${clients} may send requests: there are no API keys${AUTH === 'off' ? ' (AUTH=off)' : ''}`,
  };
}

export function isLoopback(host: string): boolean {
  return /^(localhost|::1|127(\.\d{1,3}){3})$/i.test(host);
}
