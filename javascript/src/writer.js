// Step: writer (SPEC.md C2, C3, W1, P5): records become gzip chunks, put one by one under hidden names.
// Holds one compressed chunk, and a few words about each chunk that is put.

import { Compressor } from './compressor.js';
import { dayPrefix } from './trigger.js';

/** @import { ChunkBuffer } from './chunk-buffer.js' */
/** @import { Chunk, Config, Day, Door, Lines, TimeLimit } from './types.js' */
/** @import { Journal } from './journal.js' */

const LF = 10;

export class Writer {
  /** @type {Chunk[]} */
  #chunks = [];
  /** @type {Compressor | null} */
  #open = null;
  #store;
  #config;
  #journal;
  #deadline;
  #compressed;
  #requestId;
  #dayPrefix;

  /**
   * @param {Door} store
   * @param {Config} config
   * @param {Day} day
   * @param {string} requestId
   * @param {Journal} journal
   * @param {TimeLimit} deadline
   * @param {ChunkBuffer} compressed for the open chunk
   */
  constructor(store, config, day, requestId, journal, deadline, compressed) {
    this.#store = store;
    this.#config = config;
    this.#journal = journal;
    this.#deadline = deadline;
    this.#compressed = compressed;
    this.#requestId = requestId;
    this.#dayPrefix = dayPrefix(day, config.dstPrefix);
  }

  /**
   * Takes a source's records in; puts every chunk that closes.
   * @param {Lines} lines
   */
  async add({ bytes, count }) {
    let left = count;
    for (let start = 0, end = 0; start < bytes.length; start = end) {
      this.#open ??= new Compressor(this.#config.gzipLevel, this.#journal, this.#compressed);
      // The chunk closes with the record in which its last byte of room lies.
      const room = this.#config.chunkBytes - this.#open.bytes;
      end = start + room < bytes.length ? bytes.indexOf(LF, start + room - 1) + 1 : bytes.length;
      const records = end === bytes.length ? left : countLines(bytes, start, end);
      left -= records;
      await this.#open.add(bytes.subarray(start, end), records);
      if (this.#open.bytes >= this.#config.chunkBytes) await this.#putChunk(this.#open);
    }
  }

  /**
   * Puts the last chunk.
   * @returns {Promise<Chunk[]>} all of the run's chunks, from number 1
   */
  async close() {
    if (this.#open) await this.#putChunk(this.#open);
    return this.#chunks;
  }

  /** @param {Compressor} compressor */
  async #putChunk(compressor) {
    this.#open = null;
    const { records, bytes } = compressor;
    const gzip = await compressor.close();
    this.#deadline.check();
    const name = `${String(this.#chunks.length + 1).padStart(6, '0')}.ndjson.gz`;
    const hiddenKey = `${this.#dayPrefix}_${this.#requestId}-${name}`;
    await this.#journal.time('put', (begin) =>
      this.#store.put(this.#config.dstBucket, hiddenKey, gzip, 'application/gzip', begin),
    );
    this.#chunks.push({ hiddenKey, key: this.#dayPrefix + name, records, bytes });
    this.#journal.log('DEBUG', 'chunk', { key: hiddenKey, records, bytes });
  }
}

/**
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 */
const countLines = (bytes, start, end) => {
  let count = 0;
  for (let at = bytes.indexOf(LF, start); at >= 0 && at < end; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
};
