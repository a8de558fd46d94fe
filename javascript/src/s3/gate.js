// How many requests may be in flight (SPEC.md P1), and fewer while S3 asks for it (E8).

import { refusalIn } from './answers.js';

export class Gate {
  #most;
  #limit;
  #inFlight = 0;
  /** @type {(() => void)[]} first come, first served */
  #waiting = [];

  /** @param {number} most requests at a time */
  constructor(most) {
    this.#most = most;
    this.#limit = most;
  }

  /**
   * Waits for its turn. An action that succeeds lets one more pass, `SlowDown` half as many.
   * @type {<T>(action: () => Promise<T>) => Promise<T>}
   */
  async pass(action) {
    if (this.#inFlight < this.#limit) this.#inFlight++;
    else await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    try {
      const answer = await action();
      this.#limit = Math.min(this.#most, this.#limit + 1);
      return answer;
    } catch (error) {
      if (refusalIn(error).code === 'SlowDown')
        this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      throw error;
    } finally {
      this.#inFlight--;
      this.#admit();
    }
  }

  #admit() {
    while (this.#inFlight < this.#limit) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#inFlight++;
      next();
    }
  }
}
