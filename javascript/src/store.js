// Step: store (SPEC.md L4, R1, R3, S12, E4): the narrow door to S3. What stands behind it is loaded when it is chosen.
// Holds one body per `get` in flight.

import { IDLE_MS } from './agents.js';
import { Attempts } from './attempts.js';
import { AggregationError } from './errors.js';

/** @import { Readable } from 'node:stream' */
/** @import { Environment } from './config.js' */
/** @import { Client, Config, Door } from './types.js' */
/** @import { Journal } from './journal.js' */

/**
 * Makes the sandbox's one client. The other one is not even read.
 * @param {Config} config
 * @param {Environment} env where S16's credentials are
 * @param {number} [idleMs]
 * @returns {Promise<Client>}
 */
export const connect = async (config, env, idleMs = IDLE_MS) => {
  if (config.s3Client === 'light') {
    const { LightStore } = await import('./light-store.js');
    return new LightStore(config, env, idleMs);
  }
  const { SdkStore } = await import('./sdk-store.js');
  return new SdkStore(config, env, idleMs);
};

/** @implements {Door} */
export class Store {
  #client;
  #attempts;

  /**
   * One per invocation.
   * @param {Client} client
   * @param {number} concurrency
   * @param {Journal} journal
   */
  constructor(client, concurrency, journal) {
    this.#client = client;
    this.#attempts = new Attempts(concurrency, journal);
  }

  /** @type {Door['failed']} */
  get failed() {
    return this.#attempts.failed;
  }

  close() {
    this.#attempts.close();
  }

  /** @type {Door['listPage']} */
  listPage(bucket, prefix, delimiter, token, onBegin) {
    return this.#attempts.request(
      'list',
      prefix,
      async (signal) => {
        const listing = await this.#client.listPage(bucket, prefix, delimiter, token, signal);
        const { IsTruncated, NextContinuationToken, EncodingType, Contents = [], CommonPrefixes = [] } = listing;
        if (IsTruncated && !NextContinuationToken) throw new Error('a truncated list without a token');
        const decode = EncodingType === 'url' ? decodeKey : String;
        return {
          objects: Contents.map(({ Key = '', Size = 0 }) => ({ key: decode(Key), size: Number(Size) })),
          prefixes: CommonPrefixes.map(({ Prefix = '' }) => decode(Prefix)),
          nextToken: IsTruncated ? NextContinuationToken : undefined,
        };
      },
      onBegin,
    );
  }

  /** @type {Door['get']} */
  get(bucket, key, limitBytes, onBegin) {
    return this.#attempts.request(
      'get',
      key,
      async (signal) => {
        const { stream, length = 0 } = await this.#client.get(bucket, key, signal).catch((error) => {
          throw error.name === 'NoSuchKey' ? new AggregationError('MISSING', key) : error;
        });
        const body = await collect(stream, limitBytes);
        if (body === null) throw new AggregationError('TOO_LARGE', key);
        if (body.length < length) throw new Error(`${body.length} of ${length} bytes received`);
        return body;
      },
      onBegin,
    );
  }

  /** @type {Door['put']} */
  put(bucket, key, bytes, contentType, onBegin) {
    const attempt = (/** @type {AbortSignal} */ signal) => this.#client.put(bucket, key, bytes, contentType, signal);
    return this.#attempts.request('put', key, attempt, onBegin);
  }

  /** @type {Door['copy']} */
  copy(bucket, fromKey, toKey) {
    const source = [bucket, ...fromKey.split('/')].map(encodeURIComponent).join('/');
    return this.#attempts.request('copy', toKey, (signal) => this.#client.copy(bucket, source, toKey, signal));
  }

  /** @type {Door['delete']} */
  delete(bucket, key) {
    return this.#attempts.request('delete', key, (signal) => this.#client.delete(bucket, key, signal));
  }
}

/**
 * By events: an iterator waits several times for each of many small bodies.
 * @param {Readable} stream
 * @param {number} limitBytes
 * @returns {Promise<Buffer | null>} null when there is more, which is then not read
 */
const collect = (stream, limitBytes) =>
  new Promise((resolve, reject) => {
    /** @type {Buffer[]} */
    const pieces = [];
    let size = 0;
    stream.on('data', (piece) => {
      pieces.push(piece);
      size += piece.length;
      if (size <= limitBytes) return;
      resolve(null);
      stream.destroy();
    });
    stream.on('end', () => {
      const [first = Buffer.alloc(0)] = pieces;
      resolve(pieces.length > 1 ? Buffer.concat(pieces, size) : first);
    });
    stream.on('error', reject);
    stream.on('close', () => {
      // An error costs its stack, also where nobody is left to hear of it.
      if (!stream.readableEnded) reject(new Error('the body broke off'));
    });
  });

/**
 * The url encoding of listings writes a space as '+'.
 * @param {string} key
 */
const decodeKey = (key) => decodeURIComponent(key.replaceAll('+', ' '));
