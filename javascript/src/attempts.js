// Step: attempts (SPEC.md E4 to E6, P1): how often a request is tried, how many are in flight, and
// what ends a run early: a request that fails for good, or the time.

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AggregationError, describe, handled, s3Error } from './errors.js';

/** @import { Journal } from './journal.js' */

const MAX_ATTEMPTS = 5;
const FIRST_DELAY_MS = 100;
/** 4xx answers after which another attempt may succeed. */
const PASSING = new Set([408, 409, 429]);

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
    // All requests listen to one signal, and Node would warn from eleven on.
    setMaxListeners(0, this.#end.signal);
    handled(this.failed);
  }

  /** Rejects as soon as a request has failed for good (E4). */
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
   * @param {(abortSignal: AbortSignal) => Promise<T>} attempt an AggregationError of it is an
   * answer, not a failure. The S3 clients limit its time
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
        if (number === MAX_ATTEMPTS || isFinal(error)) {
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

  /** @type {<T>(action: () => Promise<T>) => Promise<T>} */
  async #inSlot(action) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    try {
      return await action();
    } finally {
      // The slot goes to the next in line, without becoming free.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/**
 * A redirect is final, too: it names another region, and another attempt would change nothing.
 * @param {unknown} error a refusal of S3 has its status and its code as `name`
 */
const isFinal = (error) => {
  const { $metadata, name } = /** @type {any} */ (error);
  const status = $metadata?.httpStatusCode ?? 0;
  if (PASSING.has(status) || (status === 400 && name === 'RequestTimeout')) return false;
  return status >= 300 && status < 500;
};

/** E6: the moment at which a run gives up, unless it is publishing by then. */
export class Deadline {
  sourcesRead = 0;
  #atMs;
  #timer;
  #passing = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());

  /** @param {number} remainingMs of the invocation */
  constructor(remainingMs) {
    const msLeft = remainingMs - Math.min(remainingMs * 0.1, 30_000);
    this.#atMs = performance.now() + msLeft;
    this.#timer = setTimeout(() => this.#passing.reject(this.#error()), msLeft);
  }

  /** Rejects at the moment, even if a request hangs. */
  get passed() {
    return this.#passing.promise;
  }

  /** Throws once the moment has passed: a busy thread keeps the timer waiting. */
  check() {
    if (performance.now() >= this.#atMs) throw this.#error();
  }

  /** W4 begins: from here the run goes on, whatever the time. */
  disarm() {
    clearTimeout(this.#timer);
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  /** A run that goes on, although it has lost the race, stops at its next check. */
  end() {
    clearTimeout(this.#timer);
    this.#atMs = 0;
  }

  #error() {
    return new AggregationError('OUT_OF_TIME', `${this.sourcesRead} sources read`);
  }
}
