/**
 * A reply that cannot be the one to the question that was asked. Redis answers questions in their order and names none,
 * so that after one reply too many all others belong to the question before: nothing on that connection can be believed.
 */
export class OutOfStepError extends Error {
  override readonly name = 'OutOfStepError';

  constructor() {
    super('a reply is none to what was asked');
  }
}

/** Passes a reply on that has the form of one, and throws `OutOfStepError` otherwise. */
export function requireForm<T>(reply: T, hasForm: (reply: unknown) => boolean): T {
  if (!hasForm(reply)) throw new OutOfStepError();
  return reply;
}
