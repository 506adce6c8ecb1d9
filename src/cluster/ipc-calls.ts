export class IpcCalls<Answer> {
  readonly #limitMs: number;
  readonly #open = new Map<number, (answer: Answer | undefined) => void>();
  #lastId = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Resolves with the answer, or with undefined after the time-out or `abandon`. */
  ask(send: (id: number) => void, limitMs = this.#limitMs): Promise<Answer | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(id, undefined), limitMs);
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

  /** Resolves all open questions with undefined: the other process has ended. */
  abandon(): void {
    for (const id of this.#open.keys()) this.answer(id, undefined);
  }
}
