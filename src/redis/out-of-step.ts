/**
 * A reply that cannot belong to its command. Redis replies in order and without ids, so one extra reply shifts all
 * later ones by a command: the whole connection is unusable.
 */
export class OutOfStepError extends Error {
  override readonly name = 'OutOfStepError';

  constructor() {
    super('a reply does not belong to its command');
  }
}

/** Returns the reply if it has the expected form, and throws `OutOfStepError` otherwise. */
export function requireForm<T>(reply: T, hasForm: (reply: unknown) => boolean): T {
  if (!hasForm(reply)) throw new OutOfStepError();
  return reply;
}
