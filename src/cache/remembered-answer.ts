import type { Answer, AnswerValue } from '../models/tasks/task.js';

/** An answer as its version wrote it once: the members of its JSON object. */
export class RememberedAnswer implements Answer {
  readonly members: string;

  constructor(members: string) {
    this.members = members;
  }

  get value(): AnswerValue {
    return JSON.parse(`{${this.members}}`) as AnswerValue;
  }
}
