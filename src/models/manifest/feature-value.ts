import { type ElementType, numberBounds } from '../../inference/tensors/tensor.js';
import { describeValue } from '../../text/describe-value.js';
import { isEncodableText } from '../../text/encodable-text.js';
import type { Feature } from './manifest.js';

/** The categories of a string feature: its enum, or the keys of its codes. */
export function categoriesOf(feature: Feature): readonly string[] | undefined {
  return feature.enum ?? (feature.codes && Object.keys(feature.codes));
}

/** Whether each row must have the feature. Without it, the default or null takes its place. */
export function isRequired(feature: Feature): boolean {
  return !feature.nullable && feature.default === undefined;
}

/** The numbers that a feature takes: within the manifest's bounds and those of the tensor's type. */
export function boundsOf(feature: Feature, type?: ElementType) {
  const held = type === undefined ? undefined : numberBounds(type);
  const integer = feature.type === 'integer' || held?.integer === true;
  const widest = integer ? Number.MAX_SAFE_INTEGER : Number.MAX_VALUE;
  return {
    integer,
    minimum: Math.max(feature.minimum ?? -widest, held?.lowest ?? -widest, -widest),
    maximum: Math.min(feature.maximum ?? widest, held?.highest ?? widest, widest),
  };
}

/** The number nearest to zero that a feature takes; if it takes none, a number that fails the check. */
export const nearestToZero = (feature: Feature, type: ElementType): number => nearestTo(0, feature, type);

/** As `nearestToZero`, for any whole number. */
export function nearestTo(wanted: number, feature: Feature, type: ElementType): number {
  const { integer, minimum, maximum } = boundsOf(feature, type);
  const lowest = integer ? Math.ceil(minimum) : minimum;
  const highest = integer ? Math.floor(maximum) : maximum;
  return Math.min(Math.max(wanted, lowest), highest);
}

/**
 * What is wrong with a feature's value; undefined if nothing is. With `type`, the tensor must be able to hold it, too.
 * The decisions must equal those of the compiled check of a row.
 */
export function findValueFault(value: unknown, feature: Feature, type?: ElementType): string | undefined {
  if (value === null && feature.nullable) return undefined;
  const got = `, got ${describeValue(value)}`;
  switch (feature.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `must be true or false${got}`;
    case 'string':
      return findTextFault(value, feature, got);
    case 'integer':
    case 'number':
      return findNumberFault(value, feature, type, got);
    default:
      return feature.type satisfies never;
  }
}

function findTextFault(value: unknown, feature: Feature, got: string): string | undefined {
  if (typeof value !== 'string') return `must be a string${got}`;
  const categories = categoriesOf(feature);
  if (categories === undefined) {
    return isEncodableText(value) ? undefined : 'must not hold NUL or half a surrogate pair';
  }
  if (categories.includes(value)) return undefined;
  const listed = categories.slice(0, 10).map(describeValue).join(', ');
  return `must be one of ${listed}${categories.length > 10 ? ', …' : ''}${got}`;
}

function findNumberFault(
  value: unknown,
  feature: Feature,
  type: ElementType | undefined,
  got: string,
): string | undefined {
  const { integer, minimum, maximum } = boundsOf(feature, type);
  if (typeof value !== 'number') return `must be ${integer ? 'a whole number' : 'a number'}${got}`;
  if (!Number.isFinite(value)) return 'must be a finite number, got one beyond the range of numbers';
  if (integer && !Number.isInteger(value)) return `must be a whole number${got}`;
  if (feature.minimum !== undefined && value < feature.minimum)
    return `must be at least ${feature.minimum}${got}`;
  if (feature.maximum !== undefined && value > feature.maximum)
    return `must be at most ${feature.maximum}${got}`;
  const held = type === undefined ? undefined : numberBounds(type);
  const overflows = held?.integer === false && (value <= held.lowest || value >= held.highest);
  if (!overflows && value >= minimum && value <= maximum) return undefined;
  return `must ${integer ? `be from ${minimum} to ${maximum}` : `fit a ${type}`}${got}`;
}
