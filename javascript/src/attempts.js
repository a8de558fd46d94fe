// Step: attempts (SPEC.md E4, E5, E8, P1): how often a request is tried, and what ends a run early:
// a request that fails for good, or the time.

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AggregationError, describe, endIfOutOfMemory, handled, s3Error } from './errors.js';
import { isFinal, refusalIn } from './s3/answers.js';
import { Gate } from './s3/gate.js';

/** @import { Journal } from './journal.js' */
/** @import { S3Client } from './store.js' */

const MAX_ATTEMPTS = 5;
const ENDING_MS = 1_000; // for W13 and the line end (E5)

export class Attempts {
  #gate;
  #journal;
  #deadline;
  #connections;
  #end = new AbortController();
  #failure = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());
  failed = handled(this.#failure.promise); // rejects once a request has failed for good (E4)

  /**
   * @param {number} concurrency
   * @param {{journal: Journal, deadline: Pick<Deadline, 'allows'>}} run
   * @param {S3Client['connections']} connections
   */
  constructor(concurrency, { journal, deadline }, connections) {
    this.#gate = new Gate(concurrency);
    this.#journal = journal;
    this.#deadline = deadline;
    this.#connections = connections;
    // All requests listen to one signal, and Node would warn from eleven on.
    setMaxListeners(0, this.#end.signal);
  }

  close = () => this.#end.abort();

  /**
   * Repeats an attempt until it succeeds, is refused or was the last.
   * @template T
   * @param {string} operation
   * @param {string} key what an S3_ERROR names
   * @param {(abortSignal: AbortSignal) => Promise<T>} attempt its AggregationError is an answer
   * @param {() => void} [onBegin] called when the first attempt may start (O3)
   * @returns {Promise<T>}
   */
  async request(operation, key, attempt, onBegin) {
    const { signal } = this.#end;
    for (let number = 1, slowDowns = 0; ; number++) {
      try {
        return await this.#gate.pass(() => {
          if (signal.aborted) throw new Error('the run has ended');
          if (number === 1) onBegin?.();
          this.#connections.closeIdle();
          return attempt(signal);
        });
      } catch (error) {
        endIfOutOfMemory(error);
        const isOver = signal.aborted && this.#deadline.allows(0); // not by the last second (E5)
        if (isOver || error instanceof AggregationError) throw error;
        const { status, code } = refusalIn(error);
        const isSlowDown = code === 'SlowDown';
        if (isSlowDown) slowDowns++;
        const failures = number - slowDowns;
        if (!status && !code) this.#connections.doubt();
        const pauseMs = isSlowDown ? slowDownPause(slowDowns) : failurePause(failures);
        const isLast = failures === MAX_ATTEMPTS || !this.#deadline.allows(pauseMs);
        const cause = describe(error);
        if (isLast || isFinal(status, code)) {
          const failure = s3Error(operation, key, code, cause);
          this.#failure.reject(failure);
          throw failure;
        }
        this.#journal.log('WARN', 'retry', { operation, key, attempt: number, cause });
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }
}

const failurePause = (/** @type {number} */ failures) => randomly(100 * 2 ** (failures - 1)); // E5
const slowDownPause = (/** @type {number} */ n) => randomly(Math.min(500 * 2 ** n, 4_000)); // E8
const randomly = (/** @type {number} */ pauseMs) => pauseMs * (0.5 + Math.random() / 2);

/** E6: the moment at which a run gives up, unless it is publishing by then. */
export class Deadline {
  sourcesRead = 0;
  #endMs;
  #atMs = Number.POSITIVE_INFINITY;
  #chunks = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #passing = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());
  /** Rejects at the moment, even if a request hangs. */
  passed = this.#passing.promise;
  #publishedByMs = Number.POSITIVE_INFINITY;
  onLastSecond = () => {}; // called when it begins and the run publishes (E5)

  /** @param {number} remainingMs of the invocation */
  constructor(remainingMs) {
    this.#endMs = performance.now() + remainingMs;
    this.#keep(Math.min(remainingMs * 0.1, 30_000));
  }

  /** A chunk is put: publishing it takes time. */
  countChunk = () => this.#keep(250 * ++this.#chunks);

  /** Throws once the moment has passed: a busy thread keeps the timer waiting. */
  check() {
    if (performance.now() >= this.#atMs) throw this.#error();
  }

  /** W4 begins, unless the last second has: from here the run goes on until then. */
  disarm() {
    const leftMs = this.#endMs - ENDING_MS - performance.now();
    if (leftMs <= 0) throw this.#error();
    clearTimeout(this.#timer);
    this.#atMs = Number.POSITIVE_INFINITY;
    this.#publishedByMs = this.#endMs - ENDING_MS;
    this.#timer = setTimeout(() => this.onLastSecond(), leftMs + 2); // a timer may be early
  }

  // K4: the time is up, unless W4 has begun.
  stop = () => Number.isFinite(this.#atMs) && this.#keep(this.#endMs);

  /** E5: from W4 on, a pause must end before the last second. */
  allows = (/** @type {number} */ pauseMs) => performance.now() + pauseMs < this.#publishedByMs;

  /** A run that goes on, although it has lost the race, stops at its next check. */
  end() {
    clearTimeout(this.#timer);
    this.#atMs = 0;
    this.#publishedByMs = Number.POSITIVE_INFINITY;
  }

  /** Keeps this time for publishing, or more if that is kept already. */
  #keep(/** @type {number} */ reserveMs) {
    const atMs = this.#endMs - reserveMs;
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    clearTimeout(this.#timer);
    const pass = () => this.#passing.reject(this.#error());
    this.#timer = setTimeout(pass, Math.max(0, atMs - performance.now()));
  }

  #error = () => new AggregationError('OUT_OF_TIME', `${this.sourcesRead} sources read`);
}
