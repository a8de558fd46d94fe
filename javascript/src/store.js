// Step: store (SPEC.md S12, R1, R2, R9, W12, E5): list, get, put, copy and delete, repeated as E5
// says. An S3Client sends one attempt of a request; the folder s3/ has two.

import { Attempts } from './attempts.js';
import { AggregationError } from './errors.js';
import { toAnswer } from './s3/answers.js';

/** @import { Deadline } from './attempts.js' */
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

/** @typedef {{bucket: string, prefix: string, delimiter?: string | undefined,
 *   token?: string | undefined}} ListRequest */

/** @typedef {{IfNoneMatch?: '*', IfMatch?: string}} Condition no object yet, or one of this ETag */

/** @typedef {{bucket: string, key: string, bytes: Buffer, contentType: string}} PutRequest */

/** @typedef {{bucket: string, key: string} & Condition} DeleteRequest */

/**
 * S3 without repeats: one attempt a call. A refusal is an error with S3's `Code` and
 * `$metadata.httpStatusCode`; any other error is an attempt without an answer.
 * @typedef {object} S3Client
 * @property {(request: ListRequest, signal: AbortSignal) => Promise<Page>} listPage
 * @property {(bucket: string, key: string, limitBytes: number, signal: AbortSignal) =>
 *   Promise<Buffer | null>} get null when there are more bytes
 * @property {(bucket: string, key: string, limitBytes: number, signal: AbortSignal) =>
 *   Promise<{bytes: Buffer | null, etag: string | undefined}>} getTagged the same and the ETag
 * @property {(request: PutRequest & Condition, signal: AbortSignal) =>
 *   Promise<string | undefined>} put gives the ETag
 * @property {(bucket: string, fromKey: string, toKey: string, signal: AbortSignal) =>
 *   Promise<void>} copy
 * @property {(request: DeleteRequest, signal: AbortSignal) => Promise<void>} delete
 * @property {() => void} destroy closes the connections
 * @property {{closeIdle: () => void, doubt: () => void}} connections before an attempt, and after
 *   one that had no answer (E9)
 */

/** @typedef {Pick<S3Store, keyof S3Store>} Store as the steps see it; tests have one in memory */

/** The store of one invocation. A request that fails for good is `S3_ERROR` (E4). */
export class S3Store {
  #client;
  #attempts;

  /**
   * @param {S3Client} client
   * @param {number} concurrency
   * @param {{journal: Journal, deadline: Pick<Deadline, 'allows'>}} run
   */
  constructor(client, concurrency, run) {
    this.#client = client;
    this.#attempts = new Attempts(concurrency, run, client.connections);
  }

  /** @type {Promise<never>} rejects with the first S3_ERROR, whoever waits for that request */
  get failed() {
    return this.#attempts.failed;
  }

  /** Cancels what is pending; every later call fails. */
  close() {
    this.#attempts.close();
  }

  /** @type {(request: ListRequest, onBegin?: OnBegin) => Promise<Page>} */
  listPage(request, onBegin) {
    const attempt = (/** @type {AbortSignal} */ signal) => this.#client.listPage(request, signal);
    return this.#attempts.request('list', request.prefix, attempt, onBegin);
  }

  /**
   * @param {string} bucket
   * @param {string} key
   * @param {number} limitBytes
   * @param {OnBegin} [onBegin]
   * @returns {Promise<Buffer>} the caller may overwrite it
   * @throws {AggregationError} MISSING, ARCHIVED, TOO_LARGE or S3_ERROR
   */
  async get(bucket, key, limitBytes, onBegin) {
    const attempt = (/** @type {AbortSignal} */ signal) =>
      this.#client.get(bucket, key, limitBytes, signal).catch(toAnswer('MISSING', 'ARCHIVED'));
    const bytes = await this.#attempts.request('get', key, attempt, onBegin);
    if (bytes === null) throw new AggregationError('TOO_LARGE', key);
    return bytes;
  }

  /** @type {(bucket: string, key: string, limitBytes: number) => Promise<{bytes: Buffer | null,
   *   etag: string}>} null when there are more bytes */
  getTagged(bucket, key, limitBytes) {
    return this.#attempts.request('get', key, async (signal) => {
      const { bytes, etag } = await this.#client
        .getTagged(bucket, key, limitBytes, signal)
        .catch(toAnswer('MISSING'));
      return { bytes, etag: needEtag(etag) };
    });
  }

  /** @type {(request: PutRequest, onBegin?: OnBegin) => Promise<void>} */
  async put(request, onBegin) {
    const attempt = (/** @type {AbortSignal} */ signal) => this.#client.put(request, signal);
    await this.#attempts.request('put', request.key, attempt, onBegin);
  }

  /** @type {(request: PutRequest & Condition) => Promise<string>} gives the ETag, or throws CHANGED
   * or MISSING */
  putIf(request) {
    return this.#attempts.request('put', request.key, async (signal) =>
      needEtag(await this.#client.put(request, signal).catch(toAnswer('CHANGED', 'MISSING'))),
    );
  }

  /** @type {(bucket: string, fromKey: string, toKey: string) => Promise<void>} */
  copy(bucket, fromKey, toKey) {
    return this.#attempts.request('copy', toKey, (signal) =>
      this.#client.copy(bucket, fromKey, toKey, signal),
    );
  }

  /** @type {(request: DeleteRequest) => Promise<void>} */
  delete(request) {
    return this.#attempts.request('delete', request.key, (signal) =>
      this.#client.delete(request, signal),
    );
  }
}

/** W12. */
const needEtag = (/** @type {string | undefined} */ etag) => {
  if (!etag) throw new Error('an answer without an ETag');
  return etag;
};
