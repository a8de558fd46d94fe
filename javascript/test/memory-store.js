// The in-memory twin of the store: buckets are maps, listings come in byte order and in pages.

import { hash } from 'node:crypto';
import { AggregationError, s3Error } from '../src/errors.js';
import { inByteOrder } from '../src/lister.js';

/** @import { Condition, Store } from '../src/store.js' */
/** @typedef {{operation: string, key: string, code?: string}} Fault */

/** @implements {Store} */
export class MemoryStore {
  /** @type {Map<string, Map<string, Buffer>>} */
  buckets = new Map();
  /** @type {Fault[]} */
  faults = [];
  /** @type {[operation: string, key: string][]} in the order in which they came */
  requests = [];
  pageSize;
  /** @type {Promise<never>} a request that fails is met when its turn comes */
  failed = new Promise(() => {});

  /** @param {number} [pageSize] */
  constructor(pageSize = 1000) {
    this.pageSize = pageSize;
  }

  /** @param {string} name of a bucket, which is made if there is none */
  bucket(name) {
    const objects = this.buckets.get(name) ?? new Map();
    this.buckets.set(name, objects);
    return objects;
  }

  close() {}

  /**
   * @param {string} operation
   * @param {string} bucket
   * @param {string} key
   * @returns {Promise<Map<string, Buffer>>} the bucket's objects
   */
  async #request(operation, bucket, key) {
    this.requests.push([operation, key]);
    await new Promise(setImmediate);
    const fault = this.faults.find(
      (candidate) => candidate.operation === operation && candidate.key === key,
    );
    if (operation === 'get' && fault?.code === 'NoSuchKey')
      throw new AggregationError('MISSING', key);
    const objects = this.buckets.get(bucket);
    if (fault || !objects)
      throw s3Error(operation, key, fault ? (fault.code ?? '') : 'NoSuchBucket', '');
    return objects;
  }

  /** @type {Store['listPage']} */
  async listPage({ bucket, prefix, delimiter, token }) {
    const objects = await this.#request('list', bucket, prefix);
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix));
    const entries = keys.map((key) => {
      const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      return end < 0 ? key : key.slice(0, end + 1);
    });
    const ordered = inByteOrder([...new Set(entries)]);
    const start = token === undefined ? 0 : Number(token);
    const page = ordered.slice(start, start + this.pageSize);
    const isPrefix = (/** @type {string} */ entry) =>
      Boolean(delimiter?.length) && entry.indexOf('/', prefix.length) >= 0;
    return {
      objects: page
        .filter((entry) => !isPrefix(entry))
        .map((key) => ({ key, size: objects.get(key)?.length ?? 0 })),
      prefixes: page.filter(isPrefix),
      nextToken: start + this.pageSize < ordered.length ? String(start + this.pageSize) : undefined,
    };
  }

  /** @type {Store['get']} */
  async get(bucket, key, limitBytes) {
    const { bytes } = await this.getTagged(bucket, key, limitBytes);
    if (!bytes) throw new AggregationError('TOO_LARGE', key);
    return bytes;
  }

  /** @type {Store['getTagged']} */
  async getTagged(bucket, key, limitBytes) {
    const bytes = (await this.#request('get', bucket, key)).get(key);
    if (!bytes) throw new AggregationError('MISSING', key);
    return { bytes: bytes.length > limitBytes ? null : Buffer.from(bytes), etag: etagOf(bytes) };
  }

  /** @type {Store['put']} */
  async put({ bucket, key, bytes }) {
    (await this.#request('put', bucket, key)).set(key, Buffer.from(bytes));
  }

  /** @type {Store['putIf']} */
  async putIf({ bucket, key, bytes, ...condition }) {
    const objects = await this.#request('put', bucket, key);
    check(condition, objects.get(key));
    objects.set(key, Buffer.from(bytes));
    return etagOf(bytes);
  }

  /** @type {Store['copy']} */
  async copy(bucket, fromKey, toKey) {
    const objects = await this.#request('copy', bucket, toKey);
    const bytes = objects.get(fromKey);
    if (!bytes) throw s3Error('copy', toKey, 'NoSuchKey', '');
    objects.set(toKey, bytes);
  }

  /** @type {Store['delete']} */
  async delete({ bucket, key, ...condition }) {
    const objects = await this.#request('delete', bucket, key);
    check(condition, objects.get(key));
    objects.delete(key);
  }
}

/** @param {Buffer} bytes */
const etagOf = (bytes) => `"${hash('md5', bytes)}"`;

/**
 * @param {Condition} condition
 * @param {Buffer | undefined} object
 */
const check = ({ IfMatch, IfNoneMatch }, object) => {
  if (IfMatch && !object) throw new AggregationError('MISSING', 'no such key');
  if ((IfMatch && object && IfMatch !== etagOf(object)) || (IfNoneMatch && object))
    throw new AggregationError('CHANGED', 'the condition does not hold');
};
