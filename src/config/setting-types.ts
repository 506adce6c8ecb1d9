import { Type } from '@sinclair/typebox';

export const Switch = (description: string) =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on', description });

/** At most one hour. */
export const Milliseconds = (description: string, value: number, minimum = 0) =>
  Type.Integer({ minimum, maximum: 3_600_000, default: value, description });
