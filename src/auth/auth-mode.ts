import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';

type AccessConfig = Pick<Config, 'HOST' | 'AUTH' | 'API_KEYS_FILE' | 'API_KEYS' | 'METRICS_AUTH'>;

/** Who may ask: those with a key, or whoever reaches the server, of which a warning is to be logged. */
export type AccessMode =
  | { readonly mode: 'keys'; readonly warning?: never }
  | { readonly mode: 'open'; readonly warning: string };

/**
 * What the configuration says of who may ask. Throws `ConfigError`, with a line a problem, where it contradicts itself,
 * or would open a server to a network by oversight. A file without any key in it is not `open`: it lets nobody in.
 */
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
      `HOST: at ${HOST} others could ask without a key; set API_KEYS_FILE (sardonyx keys create makes keys), or AUTH=off to let them`,
    );
  }
  if (lines.length > 0) throw new ConfigError(lines);
  if (given.length > 0) return { mode: 'keys' };
  const who = isLoopback(HOST) ? 'whoever is on this machine' : 'whoever reaches this address';
  return {
    mode: 'open',
    warning: `${who} may ask: there are no API keys${AUTH === 'off' ? ' (AUTH=off)' : ''}`,
  };
}

/** Whether only this machine itself reaches what listens there. */
export function isLoopback(host: string): boolean {
  return /^(localhost|::1|127(\.\d{1,3}){3})$/i.test(host);
}
