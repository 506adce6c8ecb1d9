import type { AnswerCache, NearCache } from './cache.js';

/**
 * A cache of this process in front of one that many share. What the far one has is remembered near as well, where its
 * time begins anew: an answer may be given for up to twice that time.
 */
export function createTieredCache(near: NearCache, far: AnswerCache): AnswerCache {
  return {
    get(key) {
      const hit = near.get(key);
      if (hit !== undefined) return hit;
      const found = far.get(key);
      if (typeof found === 'string') near.set(key, found);
      if (!(found instanceof Promise)) return found;
      return found.then((members) => {
        if (members !== undefined) near.set(key, members);
        return members;
      });
    },
    set(key, members) {
      near.set(key, members);
      return far.set(key, members);
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
