import type { Row } from '../features/encode.js';
import type { FeatureSchema, TypedFeature } from '../features/feature-schema.js';
import { boundsOf, categoriesOf } from '../manifest/feature-value.js';
import { createRandom, drawNormal } from './random.js';

/** Scales of the last few drawn rows, whose values are larger or smaller than those of the others. */
const otherScales = [100, 0.1, 10];
/** Texts of different lengths for features without categories; the known text is added to them. */
const freeTexts = ['a', '', 'two words', 'a text of some more words than the others'];
const nullShare = 0.15;
/** Deviation of the values drawn for a feature without bounds, as a share of its example. */
const spread = 0.5;

/** At most `count` valid rows, the same in each load: `base`, some golden rows, then drawn rows. */
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
      // `checkGolden` reports a golden row that does not fit.
    }
  };
  const known = Math.min(golden.length, count >> 1);
  // Golden rows may be sorted by class, so they are taken from the whole list.
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

/** How many of `count` sample rows are of ordinary size. These rows come first. */
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
    // An encoder may know only a few texts and refuse all others, so every second row has the known text.
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
