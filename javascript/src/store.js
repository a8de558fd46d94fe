// Step: store (SPEC.md R1, R2, E4, E5): list, get, put, copy and delete, repeated as E5 says.
// What sends one attempt of a request is an S3Client; the folder s3/ has two (S12).

import { Attempts } from './attempts.js';
import { AggregationError } from './errors.js';

/** @import { Readable } from 'node:stream' */
/** @import { Journal } from './journal.js' */

/** @typedef {() => void} OnBegin called once, when the request's turn has come (O3) */

/** @typedef {{key: string, size: number}} ListedObject `size` in bytes */

/**
 * One page of a listing.
 * @typedef {object} Page
 * @property {ListedObject[]} objects in byte order
 * @property {string[]} prefixes common prefixes, with their final delimiter
 * @property {string | undefined} nextToken absent on the last page
 */

/**
 * @typedef {{bucket: string, prefix: string, delimiter?: string | undefined,
 *   token?: string | undefined}} ListRequest
 */

/**
 * S3 without repeats: one attempt a call. A refusal is an error whose `name` is S3's code, with
 * `$metadata.httpStatusCode`; any other error is an attempt without an answer.
 * @typedef {object} S3Client
 * @property {(request: ListRequest, signal: AbortSignal) => Promise<Page>} listPage
 * @property {(bucket: string, key: string, signal: AbortSignal) =>
 *   Promise<{stream: Readable, length: number}>} get `length` by Content-Length, else 0
 * @property {(bucket: string, key: string, bytes: Buffer, contentType: string,
 *   signal: AbortSignal) => Promise<void>} put
 * @property {(bucket: string, fromKey: string, toKey: string, signal: AbortSignal) =>
 *   Promise<void>} copy
 * @property {(bucket: string, key: string, signal: AbortSignal) => Promise<void>} delete
 * @property {() => void} destroy closes the connections
 */

/** @typedef {Pick<S3Store, keyof S3Store>} Store as the steps see it; tests have one in memory */

/** The store of one invocation. A request that fails for good is `S3_ERROR` (E4). */
export class S3Store {
  #client;
  #attempts;

  /**
   * @param {S3Client} client
   * @param {number} concurrency
   * @param {Journal} journal
   */
  constructor(client, concurrency, journal) {
    this.#client = client;
    this.#attempts = new Attempts(concurrency, journal);
  }

  /** @type {Promise<never>} rejects with the first S3_ERROR, whoever waits for that request */
  get failed() {
    return this.#attempts.failed;
  }

  /** Cancels what is pending; every later call fails. */
  close() {
    this.#attempts.close();
  }

  /**
   * @param {ListRequest} request
   * @param {OnBegin} [onBegin]
   * @returns {Promise<Page>}
   */
  listPage(request, onBegin) {
    const attempt = (/** @type {AbortSignal} */ signal) => this.#client.listPage(request, signal);
    return this.#attempts.request('list', request.prefix, attempt, onBegin);
  }

  /**
   * @param {string} bucket
   * @param {string} key
   * @param {number} limitBytes
   * @param {OnBegin} [onBegin]
   * @returns {Promise<Buffer>} the caller owns it
   * @throws {AggregationError} MISSING, TOO_LARGE or S3_ERROR
   */
  get(bucket, key, limitBytes, onBegin) {
    const attempt = async (/** @type {AbortSignal} */ signal) => {
      const { stream, length } = await this.#client.get(bucket, key, signal).catch((error) => {
        throw error.name === 'NoSuchKey' ? new AggregationError('MISSING', key) : error;
      });
      const body = await collect(stream, limitBytes);
      if (body === null) throw new AggregationError('TOO_LARGE', key);
      if (body.length < length) throw new Error(`${body.length} of ${length} bytes received`);
      return body;
    };
    return this.#attempts.request('get', key, attempt, onBegin);
  }

  /**
   * @param {string} bucket
   * @param {string} key
   * @param {Buffer} bytes
   * @param {string} contentType
   * @param {OnBegin} [onBegin]
   */
  put(bucket, key, bytes, contentType, onBegin) {
    const attempt = (/** @type {AbortSignal} */ signal) =>
      this.#client.put(bucket, key, bytes, contentType, signal);
    return this.#attempts.request('put', key, attempt, onBegin);
  }

  /**
   * @param {string} bucket
   * @param {string} fromKey
   * @param {string} toKey
   */
  copy(bucket, fromKey, toKey) {
    const attempt = (/** @type {AbortSignal} */ signal) =>
      this.#client.copy(bucket, fromKey, toKey, signal);
    return this.#attempts.request('copy', toKey, attempt);
  }

  /**
   * @param {string} bucket
   * @param {string} key
   */
  delete(bucket, key) {
    const attempt = (/** @type {AbortSignal} */ signal) => this.#client.delete(bucket, key, signal);
    return this.#attempts.request('delete', key, attempt);
  }
}

/**
 * @param {Readable} stream
 * @param {number} limitBytes
 * @returns {Promise<Buffer | null>} null when there is more, which is then not read
 */
const collect = async (stream, limitBytes) => {
  const pieces = [];
  let size = 0;
  for await (const piece of stream) {
    pieces.push(piece);
    size += piece.length;
    if (size > limitBytes) return null;
  }
  return Buffer.concat(pieces, size);
};
