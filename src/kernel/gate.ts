/**
 * Who may work on the kernel at the same time: shared work beside shared work, exclusive work alone. Work begins in the
 * order of the calls, so neither kind waits for ever. Shared work that may begin does so within the call: what it
 * sends first goes out in the order of the calls.
 */
type Work<Result> = () => Promise<Result>;

interface Entry {
  readonly exclusive: boolean;
  readonly begin: () => void;
}

export class Gate {
  readonly #waiting: Entry[] = [];
  #inside = 0;
  #exclusiveInside = false;
  #idle: (() => void)[] = [];

  shared<Result>(work: Work<Result>): Promise<Result> {
    return this.#enter(false, work);
  }

  exclusive<Result>(work: Work<Result>): Promise<Result> {
    return this.#enter(true, work);
  }

  /** When nobody is inside or waits. */
  async idle(): Promise<void> {
    if (this.#inside === 0 && this.#waiting.length === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #enter<Result>(exclusive: boolean, work: Work<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const begin = (): void => {
        this.#inside++;
        this.#exclusiveInside = exclusive;
        work()
          .then(resolve, reject)
          .finally(() => this.#leave());
      };
      this.#waiting.push({ exclusive, begin });
      this.#admit();
    });
  }

  #leave(): void {
    this.#inside--;
    if (this.#inside === 0) this.#exclusiveInside = false;
    this.#admit();
    if (this.#inside > 0 || this.#waiting.length > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #admit(): void {
    for (;;) {
      const next = this.#waiting[0];
      const blocked = next === undefined || this.#exclusiveInside || (next.exclusive && this.#inside > 0);
      if (blocked) return;
      this.#waiting.shift();
      next.begin();
    }
  }
}
