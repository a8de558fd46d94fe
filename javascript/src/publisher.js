// Step: publisher (SPEC.md W2 to W10): the hidden chunks of a finished run become published ones,
// and the manifest lists them.

import { AggregationError, escapeKey } from './errors.js';
import { dayPrefix } from './trigger.js';

/** @import { Config } from './config.js' */
/** @import { Store } from './store.js' */
/** @import { Day } from './trigger.js' */
/** @import { Chunk } from './writer.js' */

/**
 * O1.
 * @typedef {{day: string, sources: number, bad: number, records: number, bytes: number,
 *   chunks: number, deleted: number}} Result
 */

const MANIFEST_LIMIT_BYTES = 64 * 1024 * 1024;
const MOST_SOURCES = 2 ** 53;
const CHUNK_NAME = /^(_.*-)?([0-9]{6}|[1-9][0-9]{6,})\.ndjson\.gz$/s;

export class Publisher {
  #store;
  #bucket;
  #day;
  #deadline;
  #dayPrefix;
  #manifestKey;

  /**
   * @param {{store: Store, config: Config, day: Day,
   *   deadline: {check: () => void, disarm: () => void}}} run
   */
  constructor({ store, config, day, deadline }) {
    this.#store = store;
    this.#bucket = config.dstBucket;
    this.#day = day;
    this.#deadline = deadline;
    this.#dayPrefix = dayPrefix(day, config.dstPrefix);
    this.#manifestKey = `${this.#dayPrefix}_manifest.json`;
  }

  /**
   * W2 to W7, after the last chunk is put.
   * @param {Chunk[]} chunks from number 1
   * @param {number} sources
   * @param {number} bad
   * @returns {Promise<Result>}
   * @throws {AggregationError} BAD_MANIFEST or FEWER_SOURCES, before anything visible has changed
   */
  async publish(chunks, sources, bad) {
    const readable = sources - bad;
    const before = await this.#readManifest();
    if (before > readable && !this.#day.force)
      throw new AggregationError('FEWER_SOURCES', `published ${before}, readable ${readable}`);

    // Disarming alone would let a run go on that has lost its time already.
    this.#deadline.check();
    this.#deadline.disarm();
    const { hidden, published, surplus } = await this.#listChunks(chunks.length);
    await this.#copyAll(chunks, published);
    await this.#deleteAll(surplus);

    /** @type {Result} */
    const result = {
      day: this.#day.date,
      sources,
      bad,
      records: chunks.reduce((sum, chunk) => sum + chunk.records, 0),
      bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
      chunks: chunks.length,
      deleted: surplus.length,
    };
    await this.#putManifest(result, chunks);
    await this.#deleteAll(hidden);
    return result;
  }

  /** W2: how many readable sources the last published run had; 0 when there was none. */
  async #readManifest() {
    let cause;
    try {
      const body = await this.#store.get(this.#bucket, this.#manifestKey, MANIFEST_LIMIT_BYTES);
      const readable = readableSources(body);
      if (readable !== null) return readable;
    } catch (error) {
      if (!(error instanceof AggregationError) || error.code === 'S3_ERROR') throw error;
      if (error.code === 'MISSING') return 0;
      cause = error.message;
    }
    if (this.#day.force) return 0;
    throw new AggregationError('BAD_MANIFEST', escapeKey(this.#manifestKey), cause);
  }

  /** W8: the chunks directly below the day prefix; surplus are published ones above the highest. */
  async #listChunks(/** @type {number} */ highest) {
    /** @type {{hidden: string[], published: Set<string>, surplus: string[]}} */
    const { hidden, published, surplus } = { hidden: [], published: new Set(), surplus: [] };
    /** @type {string | undefined} */
    let token;
    do {
      const request = { bucket: this.#bucket, prefix: this.#dayPrefix, delimiter: '/', token };
      const page = await this.#store.listPage(request);
      for (const { key } of page.objects) {
        const match = CHUNK_NAME.exec(key.slice(this.#dayPrefix.length));
        if (match?.[1]) hidden.push(key);
        else if (match) published.add(key);
        if (match && !match[1] && Number(match[2]) > highest) surplus.push(key);
      }
      token = page.nextToken;
    } while (token !== undefined);
    return { hidden, published, surplus };
  }

  /** @type {(chunks: Chunk[], published: Set<string>) => Promise<void>} W4 */
  async #copyAll(chunks, published) {
    const copy = (/** @type {Chunk} */ { hiddenKey, key }) =>
      this.#store.copy(this.#bucket, hiddenKey, key);
    const isNew = (/** @type {Chunk} */ { key }) => !published.has(key);
    await Promise.all(chunks.filter(isNew).map(copy));
    for (const chunk of chunks.toReversed()) if (!isNew(chunk)) await copy(chunk);
  }

  /** @type {(result: Result, chunks: Chunk[]) => Promise<void>} W6 */
  async #putManifest(result, chunks) {
    const listed = chunks.map(({ key, records, bytes }) => ({ key, records, bytes }));
    const bytes = Buffer.from(JSON.stringify({ result, chunks: listed }));
    const object = { bucket: this.#bucket, key: this.#manifestKey, bytes };
    await this.#store.put({ ...object, contentType: 'application/json' });
  }

  #deleteAll(/** @type {string[]} */ keys) {
    return Promise.all(keys.map((key) => this.#store.delete({ bucket: this.#bucket, key })));
  }
}

/** @type {(manifest: Buffer) => number | null} null when it is not a manifest */
const readableSources = (manifest) => {
  try {
    // It keeps a byte order mark, and JSON.parse refuses it.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(manifest);
    const { sources, bad } = JSON.parse(text).result;
    return [sources, bad].every((n) => Number.isInteger(n) && n >= 0 && n <= MOST_SOURCES)
      ? sources - bad
      : null;
  } catch {
    return null;
  }
};
