// Step: attempts (SPEC.md E4, E5, P1): how often a request is tried, and how many are in flight.
// There is one Attempts per invocation; closing it cancels what is pending.

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AggregationError, describe, s3Error } from './errors.js';

/** @import { Journal } from './journal.js' */

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 100;

/**
 * One attempt of a request. The S3 clients limit its time.
 * @template T
 * @typedef {(abortSignal: AbortSignal) => Promise<T>} Attempt
 */

export class Attempts {
  #journal;
  #free;
  /** @type {(() => void)[]} first come, first served */
  #waiting = [];
  #end = new AbortController();
  #failure = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());

  /**
   * @param {number} concurrency
   * @param {Journal} journal
   */
  constructor(concurrency, journal) {
    this.#free = concurrency;
    this.#journal = journal;
    setMaxListeners(0, this.#end.signal);
    // It may come while nobody races for it.
    this.failed.catch(() => {});
  }

  /** @type {Promise<never>} rejects as soon as a request has failed for good (E4) */
  get failed() {
    return this.#failure.promise;
  }

  close() {
    this.#end.abort();
  }

  /**
   * Repeats an attempt until it succeeds, is refused or was the last.
   * @template T
   * @param {string} operation
   * @param {string} key what an S3_ERROR names
   * @param {Attempt<T>} attempt an AggregationError of it is an answer, not a failure
   * @param {() => void} [onBegin] called when the first attempt may start (O3)
   * @returns {Promise<T>}
   */
  async request(operation, key, attempt, onBegin) {
    const { signal } = this.#end;
    for (let number = 1; ; number++) {
      try {
        return await this.#inSlot(() => {
          if (signal.aborted) throw new Error('the run has ended');
          if (number === 1) onBegin?.();
          return attempt(signal);
        });
      } catch (error) {
        if (signal.aborted || error instanceof AggregationError) throw error;
        const cause = describe(error);
        if (number === ATTEMPTS || isFinal(error)) {
          const failure = s3Error(operation, key, cause);
          this.#failure.reject(failure);
          throw failure;
        }
        this.#journal.log('WARN', 'retry', { operation, key, attempt: number, cause });
        const delayMs = FIRST_DELAY_MS * 2 ** (number - 1) * (0.5 + Math.random() / 2);
        await sleep(delayMs, undefined, { signal });
      }
    }
  }

  /**
   * @template T
   * @param {() => Promise<T>} operation
   * @returns {Promise<T>}
   */
  async #inSlot(operation) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    try {
      return await operation();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/**
 * A redirect is final, too: it names another region, and another attempt would change nothing.
 * @param {unknown} error
 */
const isFinal = (error) => {
  const { httpStatusCode: status = 0 } = /** @type {any} */ (error).$metadata ?? {};
  return status >= 300 && status < 500 && status !== 408 && status !== 429;
};
