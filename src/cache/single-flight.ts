import { ServiceError } from '../errors.js';
import type { CallContext } from '../inference/batching/call-context.js';
import type { Answer } from '../models/tasks/task.js';

/** Equal requests wait for the run of the first one. They share its failure, unless it is specific to that client. */
export class SingleFlight {
  readonly #flights = new Map<string, Promise<Answer>>();

  has(name: string): boolean {
    return this.#flights.has(name);
  }

  async lead(name: string, compute: () => Promise<Answer>): Promise<Answer> {
    const flight = compute();
    this.#flights.set(name, flight);
    try {
      return await flight;
    } finally {
      // Removed before the followers resume, so that a new request begins a new run.
      this.#flights.delete(name);
    }
  }

  /** Undefined if the leader failed for a reason of its own client. Throws `deadline_exceeded` and the run's error. */
  async follow(name: string, call: CallContext): Promise<Answer | undefined> {
    try {
      return await withinLimit(this.#flights.get(name) as Promise<Answer>, call);
    } catch (error) {
      if (!isOfLeader(error) || performance.now() >= call.deadline) throw error;
      return undefined;
    }
  }
}

/** Errors caused by the client or deadline of the leader: an equal request may succeed. */
const isOfLeader = (error: unknown): boolean =>
  error instanceof ServiceError &&
  (error.code === 'deadline_exceeded' || error.code === 'client_closed' || error.code === 'overloaded');

function withinLimit(flight: Promise<Answer>, { deadline }: CallContext): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const leftMs = deadline - performance.now();
    const timer = setTimeout(
      // The run continues: a retry of the client may find its answer in the cache.
      () => {
        const detail = 'It was not answered in time.';
        reject(new ServiceError('deadline_exceeded', { detail, retryAfterSeconds: 1 }));
      },
      Math.max(0, leftMs),
    );
    flight.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
