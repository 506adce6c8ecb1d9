/** Questions that were sent to the other side of a channel: each has an id, and a time after which nobody waits. */
export class IpcCalls<Answer> {
  readonly #limitMs: number;
  readonly #open = new Map<number, (answer: Answer | undefined) => void>();
  #lastId = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Resolves with the answer; with undefined when it does not come in time, or cannot come any more. */
  ask(send: (id: number) => void): Promise<Answer | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(id, undefined), this.#limitMs);
      this.#open.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      send(id);
    });
  }

  answer(id: number, answer: Answer | undefined): void {
    const settle = this.#open.get(id);
    this.#open.delete(id);
    settle?.(answer);
  }

  /** Whoever was asked has gone. */
  abandon(): void {
    for (const id of this.#open.keys()) this.answer(id, undefined);
  }
}
