import { type SchemaOptions, Type } from '@sinclair/typebox';

/** An `enum` of texts. Client generators make one type of an enum, but several of a union of constants. */
export function StringEnum<const Values extends readonly string[]>(values: Values, options?: SchemaOptions) {
  return Type.Unsafe<Values[number]>({ ...options, type: 'string', enum: [...values] });
}
