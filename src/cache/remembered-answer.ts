import type { Answer, AnswerValue } from '../models/tasks/task.js';

/** An answer from the cache: the fields of its JSON object, without braces. */
export class RememberedAnswer implements Answer {
  readonly fieldsJson: string;

  constructor(fieldsJson: string) {
    this.fieldsJson = fieldsJson;
  }

  get value(): AnswerValue {
    return JSON.parse(`{${this.fieldsJson}}`) as AnswerValue;
  }
}
