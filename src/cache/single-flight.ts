import { ServiceError } from '../errors.js';
import type { CallContext } from '../inference/batching/call-context.js';
import type { Answer } from '../models/tasks/task.js';

/**
 * Equal requests that come while the first of them is being computed wait for that one run. A failure is shared by those
 * who wait for it, unless it is the first client's own.
 */
export class SingleFlight {
  readonly #flights = new Map<string, Promise<Answer>>();

  /** Whether a request of this name is being computed. */
  has(name: string): boolean {
    return this.#flights.has(name);
  }

  /** Computes a request for all who ask the same until it is answered. */
  async lead(name: string, compute: () => Promise<Answer>): Promise<Answer> {
    const flight = compute();
    this.#flights.set(name, flight);
    try {
      return await flight;
    } finally {
      // Over before those who wait for it go on: who asks again then begins anew.
      this.#flights.delete(name);
    }
  }

  /**
   * Waits for the one that is being computed, until the own deadline. Gives undefined where that failed for a reason of
   * the client that leads. Throws `deadline_exceeded`, and what the run fails with.
   */
  async follow(name: string, call: CallContext): Promise<Answer | undefined> {
    try {
      return await withinLimit(this.#flights.get(name) as Promise<Answer>, call);
    } catch (error) {
      if (!isOfLeader(error) || performance.now() >= call.deadline) throw error;
      return undefined;
    }
  }
}

/** What the circumstances of one client make fail: another that asks the same may do better. */
const isOfLeader = (error: unknown): boolean =>
  error instanceof ServiceError &&
  (error.code === 'deadline_exceeded' || error.code === 'client_closed' || error.code === 'overloaded');

function withinLimit(flight: Promise<Answer>, { deadline }: CallContext): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const leftMs = deadline - performance.now();
    const timer = setTimeout(
      // The run goes on: by then its answer may be remembered.
      () => {
        const detail = 'It was not answered in time.';
        reject(new ServiceError('deadline_exceeded', { detail, retryAfterSeconds: 1 }));
      },
      Math.max(0, leftMs),
    );
    flight.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
