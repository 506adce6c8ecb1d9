const lookEveryMs = 1_000;

/** Looks again and again for jobs that other processes have accepted or ended. No look begins during another one. */
export class FolderWatch {
  readonly #look: () => Promise<void>;
  readonly #onTrouble: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(look: () => Promise<void>, onTrouble: (error: unknown) => void) {
    this.#look = look;
    this.#onTrouble = onTrouble;
  }

  /** Safe to call twice. */
  begin(): void {
    if (this.#timer !== undefined) return;
    const look = async (): Promise<void> => {
      if (this.#isLooking) return;
      this.#isLooking = true;
      await this.#look().catch(this.#onTrouble);
      this.#isLooking = false;
    };
    this.#timer = setInterval(() => void look(), lookEveryMs).unref();
    void look();
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
