import { type SchemaOptions, Type } from '@sinclair/typebox';

/** One of these texts, as an `enum`: generators of clients make one type of it, and several of a union of constants. */
export function StringEnum<const Values extends readonly string[]>(values: Values, options?: SchemaOptions) {
  return Type.Unsafe<Values[number]>({ ...options, type: 'string', enum: [...values] });
}
