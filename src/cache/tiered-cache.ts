import type { AnswerCache, LocalCache } from './answer-cache.js';

/**
 * A cache of this process in front of one that many share. What the far one has is remembered near as well, where its
 * time begins anew: an answer may be given for up to twice that time.
 */
export function createTieredCache(near: LocalCache, far: AnswerCache): AnswerCache {
  return {
    get(key) {
      const hit = near.get(key);
      if (hit !== undefined) return hit;
      const found = far.get(key);
      if (typeof found === 'string') near.set(key, found);
      if (!(found instanceof Promise)) return found;
      return found.then((fieldsJson) => {
        if (fieldsJson !== undefined) near.set(key, fieldsJson);
        return fieldsJson;
      });
    },
    set(key, fieldsJson) {
      near.set(key, fieldsJson);
      return far.set(key, fieldsJson);
    },
    async clear(identity) {
      // The near one last, and whatever becomes of the far one: what that gives meanwhile is remembered near again.
      const [farCleared] = await Promise.allSettled([far.clear(identity)]);
      const nearCleared = await near.clear(identity);
      if (farCleared.status === 'rejected') throw farCleared.reason;
      // Nearly all that is near is far too.
      return Math.max(nearCleared, farCleared.value);
    },
    close() {
      near.close();
      far.close();
    },
  };
}
