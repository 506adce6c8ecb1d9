import type { Row } from '../features/encode.js';
import type { FeatureSchema, TypedFeature } from '../features/feature-schema.js';
import { boundsOf, categoriesOf } from '../manifest/feature-value.js';
import { createRandom, drawNormal } from './random.js';

/** Of the drawn rows, the last few are of another size than the others. */
const otherScales = [100, 0.1, 10];
/** What free texts are drawn from beside the known one, of which nothing is said: texts of different lengths. */
const freeTexts = ['a', '', 'two words', 'a text of some more words than the others'];
const nullShare = 0.15;
/** A feature without bounds is drawn around its example, this share of it away. */
const spread = 0.5;

/**
 * Different rows that the features allow: `base`, which the engine is known to take, some of the golden rows, then rows
 * drawn from ranges, categories and nulls. At most `count`, all of them past the check; the same in each load.
 */
export function createSampleRows(
  typed: readonly TypedFeature[],
  features: FeatureSchema,
  base: Row,
  golden: readonly unknown[],
  count: number,
): readonly Row[] {
  const random = createRandom(20_261_128);
  const rows: Row[] = [base];
  const add = (body: unknown): void => {
    try {
      rows.push(features.check(body));
    } catch {
      // A golden row that does not fit is judged by the check of golden rows.
    }
  };
  const known = Math.min(golden.length, count >> 1);
  // Spread over the whole list, which may be sorted by class.
  for (let k = 1; k < known; k += 1) add(golden[Math.floor((k * golden.length) / known)]);
  for (let k = 0; rows.length < count && k < 2 * count; k += 1) {
    const scale = rows.length < countOrdinary(count) ? 1 : (otherScales[count - rows.length - 1] ?? 1);
    add(
      Object.fromEntries(
        typed.map((it) => [it.feature.name, drawValue(it, base, scale, random, k % 2 === 0)]),
      ),
    );
  }
  return rows;
}

/** Of so many sample rows, how many are of ordinary size. They stand first. */
export function countOrdinary(count: number): number {
  return Math.max(2, count - otherScales.length);
}

function drawValue(
  { feature, type }: TypedFeature,
  base: Row,
  scale: number,
  random: () => number,
  isPlain: boolean,
): unknown {
  if (feature.nullable && random() < nullShare) return null;
  if (feature.type === 'boolean') return random() < 0.5;
  const known = base[feature.name];
  if (feature.type === 'string') {
    const categories = categoriesOf(feature);
    if (categories !== undefined) return categories[Math.floor(random() * categories.length)];
    // An encoder may know a few texts only, and refuse all others: every second row has the known one.
    const texts = typeof known === 'string' ? [...freeTexts, `${known} ${known}`] : freeTexts;
    return isPlain ? known : texts[Math.floor(random() * texts.length)];
  }
  const { integer, minimum, maximum } = boundsOf(feature, type);
  const hasRange = feature.minimum !== undefined && feature.maximum !== undefined;
  const centre = typeof known === 'number' ? known : 0;
  const drawn = hasRange
    ? minimum + random() * (maximum - minimum)
    : centre + drawNormal(random) * scale * Math.max(1, Math.abs(centre) * spread);
  const value = Math.min(Math.max(integer ? Math.round(drawn) : drawn, minimum), maximum);
  return integer ? Math.min(Math.max(value, Math.ceil(minimum)), Math.floor(maximum)) : value;
}
