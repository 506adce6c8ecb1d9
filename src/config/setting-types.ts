import { type StringOptions, type TString, Type } from '@sinclair/typebox';

export const Switch = (description: string) =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on', description });

/** At most one hour. */
export const Milliseconds = (description: string, value: number, minimum = 0) =>
  Type.Integer({ minimum, maximum: 3_600_000, default: value, description });

/** A text of some form: `takes` names the form for people, and is the end of the sentence "got …, takes …". */
export const Text = (takes: string, options: StringOptions): TString => Type.String({ ...options, takes });

/** The same, where a function of ours reads the form: undefined is what it gives for a text that has another. */
export const ReadText = (
  takes: string,
  read: (text: string) => unknown,
  options: StringOptions,
): TString & { readonly read: (text: string) => unknown } => Object.assign(Text(takes, options), { read });
