import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeptPredictions } from '../../../src/monitoring/feedback/kept-predictions.js';

describe('KeptPredictions', () => {
  test.each([1, 7, 16, 100])(
    'with room for %i has the last ones with their values, and no other',
    (capacity) => {
      const evicted: number[] = [];
      const kept = new KeptPredictions(capacity, (slot) => evicted.push(slot));
      const all: { id: string; values: number[] }[] = [];
      for (let n = 0; n < 500; n += 1) {
        // Many at times take the place of several.
        const values = Array.from(
          { length: n % 50 === 0 ? Math.min(40, kept.maxValues) : n % 5 },
          (_, k) => n + k / 8,
        );
        const id = randomUUID();
        const start = kept.keep(id, n, n % 3, n % 2, n % 4, values.length);
        for (const [k, value] of values.entries()) kept.put(start + k, value);
        all.push({ id, values });
        expect(kept.size + evicted.length).toBe(n + 1);
        const oldest = n + 1 - kept.size;
        for (const [m, { id: known, values: put }] of all.entries()) {
          const slot = kept.find(known);
          if (m < oldest) {
            if (slot !== -1) throw new Error(`${m} of ${n} must have left`);
            continue;
          }
          expect(kept.read(slot)).toEqual({
            at: m,
            version: m % 3,
            key: m % 2,
            predicted: m % 4,
            values: put,
          });
          expect(kept.idOf(slot)).toBe(known);
          expect(kept.slotAt(m - oldest)).toBe(slot);
        }
      }
      expect(kept.size).toBeGreaterThan(0);
      expect(kept.size).toBeLessThanOrEqual(capacity);
    },
  );

  test('does not find an id that differs in one digit', () => {
    const kept = new KeptPredictions(16, () => undefined);
    const id = '7d9f2a6e-0123-4567-89ab-cdef01234567';
    kept.keep(id, 0, 0, 0, 0, 0);
    expect(kept.find(id.toUpperCase())).toBe(0);
    for (let k = 0; k < id.length; k += 1) {
      if (id[k] === '-') continue;
      const other = `${id.slice(0, k)}${id[k] === '0' ? '1' : '0'}${id.slice(k + 1)}`;
      expect(kept.find(other), other).toBe(-1);
    }
  });
});
