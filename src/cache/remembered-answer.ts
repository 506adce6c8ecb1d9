import type { Answer, AnswerValue, Prediction, Scalar } from '../models/tasks/task.js';

type Stored = Omit<Prediction, 'probabilities'> & {
  readonly probabilities?: Readonly<Record<string, number>>;
};

/** An answer from the cache: the fields of its JSON object, without braces. */
export class RememberedAnswer implements Answer {
  readonly fieldsJson: string;
  readonly #classes: readonly Scalar[] | undefined;

  /** `classes` are those of the version; undefined if they are not known. */
  constructor(fieldsJson: string, classes?: readonly Scalar[]) {
    this.fieldsJson = fieldsJson;
    this.#classes = classes;
  }

  get value(): AnswerValue {
    const stored = JSON.parse(`{${this.fieldsJson}}`) as Stored;
    const { probabilities, ...others } = stored;
    if (probabilities === undefined || this.#classes === undefined) return stored as unknown as AnswerValue;
    // By name: the members of the parsed object have another order if the classes are integers.
    return { ...others, probabilities: this.#classes.map((it) => probabilities[String(it)] as number) };
  }
}
