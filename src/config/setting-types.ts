import { Type } from '@sinclair/typebox';

/** Something that is there unless it is switched off. */
export const Switch = (description: string) =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on', description });

/** A length of time, of an hour at most. */
export const Milliseconds = (description: string, value: number, minimum = 0) =>
  Type.Integer({ minimum, maximum: 3_600_000, default: value, description });
