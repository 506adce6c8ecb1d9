import type { JobsRedis } from './jobs-redis.js';

/** A way in which a Redis may lose jobs that were accepted. */
export type Loss = 'no_persistence' | 'snapshots_only' | 'eviction' | 'results_eviction' | 'unknown';

/** What each loss means, and what to set. */
export const lossTexts = {
  no_persistence:
    'it keeps nothing on its disk, so a restart loses all jobs: set "appendonly yes", and "appendfsync always" if no job may be lost',
  snapshots_only:
    'it only saves snapshots, so a restart loses the jobs since the last one: set "appendonly yes"',
  eviction: 'it removes any keys when its memory is full: set "maxmemory-policy noeviction"',
  results_eviction:
    'when its memory is full, it may remove the results of ended jobs before JOB_TTL_SECONDS: set "maxmemory-policy noeviction"',
  unknown:
    'its user may not read its settings: make sure of "appendonly yes" and "maxmemory-policy noeviction", or allow "config|get"',
} as const satisfies Record<Loss, string>;

/** Reads the settings of Redis. Throws as `JobsRedis.ask` does. */
export async function findLosses(redis: JobsRedis): Promise<readonly Loss[]> {
  const found: Loss[] = [];
  const settings = new Map<string, string>();
  for (const name of ['appendonly', 'save', 'maxmemory', 'maxmemory-policy']) {
    try {
      const reply = (await redis.ask(() => redis.client.call('CONFIG', 'GET', name))) as readonly unknown[];
      settings.set(name, String(reply[1] ?? ''));
    } catch (error) {
      // A user may not run it, and some hosted services do not have it.
      if (!(error instanceof Error) || error.name !== 'ReplyError') throw error;
      return ['unknown'];
    }
  }
  if (settings.get('appendonly') !== 'yes')
    found.push(settings.get('save') === '' ? 'no_persistence' : 'snapshots_only');
  const policy = settings.get('maxmemory-policy') ?? 'noeviction';
  // Only keys that expire: those of ended jobs, and of drafts.
  if (settings.get('maxmemory') !== '0' && policy !== 'noeviction')
    found.push(policy.startsWith('volatile') ? 'results_eviction' : 'eviction');
  return found;
}
