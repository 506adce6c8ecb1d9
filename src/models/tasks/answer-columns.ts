import type { AnswerShape, Prediction } from './task.js';

/** A column of a table of answers. */
export interface AnswerColumn {
  readonly name: string;
  /** Where the value is in the JSON of an answer. */
  readonly path: readonly string[];
  read(prediction: Prediction): string | number | boolean;
}

/** `prediction`, then `probability` and one column for each class, or one column for each member of the prediction. */
export function listAnswerColumns({
  classes,
  hasProbabilities,
  names,
}: AnswerShape): readonly AnswerColumn[] {
  if (names !== undefined) {
    return names.map((name) => ({
      name: `prediction_${name}`,
      path: ['prediction', name],
      read: ({ prediction }) => (prediction as Readonly<Record<string, number>>)[name] as number,
    }));
  }
  const prediction: AnswerColumn = {
    name: 'prediction',
    path: ['prediction'],
    read: (value) => value.prediction as string | number | boolean,
  };
  if (!hasProbabilities || classes === undefined) return [prediction];
  return [
    prediction,
    { name: 'probability', path: ['probability'], read: (value) => value.probability as number },
    ...classes.map((value, k) => ({
      name: `probability_${value}`,
      path: ['probabilities', String(value)],
      read: ({ probabilities }: Prediction) => probabilities?.[k] as number,
    })),
  ];
}

/** The names that rows of the input must not carry over. Rows of JSON have an object of the probabilities. */
export function listReserved(columns: readonly AnswerColumn[]): ReadonlySet<string> {
  const members = ['index', 'prediction', 'probability', 'probabilities', 'outputs', 'error'];
  return new Set([...members, ...columns.map(({ name }) => name)]);
}
