import type { AnswerCache, LocalCache } from './answer-cache.js';

/** Answers found in the shared cache are copied to the local one with a new lifetime: they may live twice as long. */
export function createTieredCache(local: LocalCache, shared: AnswerCache): AnswerCache {
  return {
    get(key) {
      const hit = local.get(key);
      if (hit !== undefined) return hit;
      const found = shared.get(key);
      if (typeof found === 'string') local.set(key, found);
      if (!(found instanceof Promise)) return found;
      return found.then((fieldsJson) => {
        if (fieldsJson !== undefined) local.set(key, fieldsJson);
        return fieldsJson;
      });
    },
    set(key, fieldsJson) {
      local.set(key, fieldsJson);
      return shared.set(key, fieldsJson);
    },
    async clear(identity) {
      // The local cache is cleared last, since `get` copies answers of the shared one to it meanwhile.
      const [sharedCleared] = await Promise.allSettled([shared.clear(identity)]);
      const localCleared = await local.clear(identity);
      if (sharedCleared.status === 'rejected') throw sharedCleared.reason;
      // Most local answers are in the shared cache too, so the counts are not added.
      return Math.max(localCleared, sharedCleared.value);
    },
    close() {
      local.close();
      shared.close();
    },
  };
}
