import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { ServiceError } from '../errors.js';

/** Bounds the answers that are sent as streams at the same time: each holds memory until its client has read it. */
export class StreamPlaces {
  readonly #max: number;
  readonly #what: string;
  #taken = 0;

  /** `what` is the end of a sentence about the clients that have all places, such as "follow jobs". */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /**
   * Takes a place until the response is closed; the signal is aborted then. Throws `overloaded`. The connection may be
   * closed already.
   */
  take(response: ServerResponse): AbortSignal {
    if (this.#taken >= this.#max) {
      const detail = `${this.#max} clients ${this.#what} already: try again later.`;
      throw new ServiceError('overloaded', { detail, retryAfterSeconds: 10 });
    }
    this.#taken += 1;
    const closed = new AbortController();
    // Unlike `once('close')` this is also called if the response was closed before.
    finished(response, () => {
      this.#taken -= 1;
      closed.abort();
    });
    return closed.signal;
  }
}
