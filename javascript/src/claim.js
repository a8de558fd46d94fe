// Step: claim (SPEC.md W11 to W13): one run at a time may work at a day. The claim is an object in
// the destination, which S3 puts, replaces and deletes on conditions only.

import { isUtf8 } from 'node:buffer';
import { AggregationError, escapeKey } from './errors.js';
import { dayPrefix } from './trigger.js';

/** @import { Config } from './config.js' */
/** @import { Condition, Store } from './store.js' */
/** @import { Day } from './trigger.js' */

const ROUNDS = 5;
const MARGIN_MS = 60_000;
/** No claim is longer. */
const LIMIT_BYTES = 64 * 1024;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export class Claim {
  #store;
  #bucket;
  #key;
  #bytes;
  /** @type {string | null} of the claim that this run holds */
  #etag = null;

  /**
   * @param {object} run
   * @param {Store} run.store
   * @param {Config} run.config
   * @param {Day} run.day
   * @param {string} run.requestId
   * @param {number} endsAtMs when the invocation has no time left, by Date.now()
   */
  constructor({ store, config, day, requestId }, endsAtMs) {
    this.#store = store;
    this.#bucket = config.dstBucket;
    this.#key = `${dayPrefix(day, config.dstPrefix)}_claim.json`;
    const expires = new Date(endsAtMs + MARGIN_MS).toISOString();
    this.#bytes = Buffer.from(JSON.stringify({ run: requestId, expires }));
  }

  /**
   * W11 and W12.
   * @throws {AggregationError} BUSY or S3_ERROR
   */
  async take() {
    for (let round = 0; round < ROUNDS; round++) {
      this.#etag = (await this.#put({ IfNoneMatch: '*' })) ?? (await this.#takeOver());
      if (this.#etag !== null) return;
    }
    throw this.#busy();
  }

  /**
   * W13. A claim that can't be deleted expires by itself.
   * @param {Store} store an open one: that of the run is closed by now
   * @param {number} limitMs how long it may take
   */
  async release(store, limitMs) {
    if (this.#etag === null) return;
    const giveUp = setTimeout(() => store.close(), Math.max(0, limitMs)); // Node warns below 0
    const request = { bucket: this.#bucket, key: this.#key, IfMatch: this.#etag };
    await store.delete(request).catch(() => {});
    clearTimeout(giveUp);
  }

  /**
   * W12: there is a claim already.
   * @returns {Promise<string | null>} the ETag of this run's claim; null if the old one has changed
   */
  async #takeOver() {
    const found = await this.#get();
    if (found === null) return null;
    const { bytes, etag } = found;
    // The claim is this run's: only the answer to its put was lost.
    if (bytes?.equals(this.#bytes)) return etag;
    if (bytes && expiryOf(bytes) > Date.now()) throw this.#busy();
    return this.#put({ IfMatch: etag });
  }

  /**
   * @param {Condition} condition
   * @returns {Promise<string | null>} null if S3 refuses the condition
   */
  #put(condition) {
    const object = { bucket: this.#bucket, key: this.#key, bytes: this.#bytes };
    const put = this.#store.putIf({ ...object, contentType: 'application/json', ...condition });
    return put.catch(nullIf('CHANGED', 'MISSING'));
  }

  /** The claim that is there, or null. */
  #get() {
    const found = this.#store.getTagged(this.#bucket, this.#key, LIMIT_BYTES);
    return found.catch(nullIf('MISSING'));
  }

  #busy() {
    return new AggregationError('BUSY', escapeKey(this.#key));
  }
}

/**
 * @param {Buffer} claim
 * @returns {number} when it expires, by Date.now(); 0 if it has not the form of a claim
 */
const expiryOf = (claim) => {
  try {
    const { run, expires } = JSON.parse(String(claim));
    const isClaim = isUtf8(claim) && typeof run === 'string' && TIME.test(expires);
    return isClaim && new Date(expires).toISOString() === expires ? Date.parse(expires) : 0;
  } catch {
    return 0;
  }
};

/**
 * @param {string[]} codes of an AggregationError
 * @returns {(error: unknown) => null} throws every other error
 */
const nullIf =
  (...codes) =>
  (error) => {
    if (error instanceof AggregationError && codes.includes(error.code)) return null;
    throw error;
  };
