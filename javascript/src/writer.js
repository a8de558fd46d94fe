// Step: writer (SPEC.md C2, C3, W1, P5): records become gzip chunks, put one by one, hidden.

import { once } from 'node:events';
import zlib from 'node:zlib';
import { dayPrefix } from './trigger.js';
import { ChunkBuffer } from './tuning/chunk-buffer.js';
import { GatheredLines } from './tuning/gathered-lines.js';

/** @import { Deadline } from './attempts.js' */
/** @import { Config } from './config.js' */
/** @import { Journal } from './journal.js' */
/** @import { Lines } from './splitter.js' */
/** @import { Store } from './store.js' */
/** @import { Day } from './trigger.js' */

/**
 * A chunk that is put, and where it is to be published (W4).
 * @typedef {object} Chunk
 * @property {string} hiddenKey
 * @property {string} key
 * @property {number} records
 * @property {number} bytes
 */

const LF = 10;

export class Writer {
  /** @type {Chunk[]} */
  #chunks = [];
  /** @type {OpenChunk | null} */
  #open = null;
  #compressed = new ChunkBuffer();
  #run;

  /** @param {{store: Store, config: Config, day: Day, requestId: string, journal: Journal,
   *   deadline: Pick<Deadline, 'check' | 'countChunk'>}} run */
  constructor(run) {
    this.#run = run;
  }

  /**
   * Takes a source's records in; puts every chunk that closes.
   * @param {Lines} lines
   */
  async add({ bytes, count }) {
    const { config, journal, deadline } = this.#run;
    let left = count;
    for (let start = 0, end = 0; start < bytes.length; start = end) {
      deadline.check();
      this.#open ??= new OpenChunk(config.gzipLevel, this.#compressed, journal);
      end = endOfChunk(bytes, start, config.chunkBytes - this.#open.bytes);
      // Lines are counted only where a source is cut.
      const records = end === bytes.length ? left : countLines(bytes.subarray(start, end));
      left -= records;
      await this.#open.add(bytes.subarray(start, end), records);
      if (this.#open.bytes >= config.chunkBytes) await this.#putChunk(this.#open);
    }
  }

  /** Puts the last chunk, and gives all of the run's, from number 1. */
  async close() {
    if (this.#open) await this.#putChunk(this.#open);
    return this.#chunks;
  }

  /** @param {OpenChunk} open */
  async #putChunk(open) {
    this.#open = null;
    const { store, config, day, requestId, journal, deadline } = this.#run;
    const { records, bytes } = open;
    const gzip = await journal.time('compress', () => open.close());
    deadline.check();
    const prefix = dayPrefix(day, config.dstPrefix);
    const name = `${String(this.#chunks.length + 1).padStart(6, '0')}.ndjson.gz`;
    const hiddenKey = `${prefix}_${requestId}-${name}`;
    const object = { bucket: config.dstBucket, key: hiddenKey, bytes: gzip };
    await journal.time('put', (begin) =>
      store.put({ ...object, contentType: 'application/gzip' }, begin),
    );
    deadline.countChunk();
    this.#chunks.push({ hiddenKey, key: prefix + name, records, bytes });
    journal.log('DEBUG', 'chunk', { key: hiddenKey, records, bytes });
  }
}

/** A chunk that still takes records: a gzip stream, whose header has neither time nor name (W1). */
class OpenChunk {
  records = 0;
  bytes = 0;
  #lines = new GatheredLines();
  #gzip;
  #compressed;
  #journal;

  /**
   * @param {number} level
   * @param {ChunkBuffer} compressed is emptied for this chunk
   * @param {Journal} journal
   */
  constructor(level, compressed, journal) {
    this.#journal = journal;
    this.#compressed = compressed;
    compressed.clear();
    this.#gzip = zlib.createGzip({ level });
    this.#gzip.on('data', (piece) => compressed.append(piece));
  }

  /**
   * Afterwards the memory of the lines is the caller's again.
   * @param {Buffer} lines
   * @param {number} records
   */
  async add(lines, records) {
    this.records += records;
    this.bytes += lines.length;
    for (const piece of this.#lines.add(lines)) {
      const startedMs = performance.now();
      await this.#write(piece);
      this.#journal.add('compress', startedMs, 0); // its time only: close counts the chunk (O3)
    }
  }

  /** @returns {Promise<Buffer>} the compressed chunk, good until the next one is opened */
  async close() {
    await this.#write(this.#lines.rest());
    const ended = once(this.#gzip, 'end');
    this.#gzip.end();
    await ended;
    return this.#compressed.whole();
  }

  #write(/** @type {Buffer} */ piece) {
    return new Promise((resolve, reject) => {
      this.#gzip.write(piece, (error) => (error ? reject(error) : resolve(undefined)));
    });
  }
}

/** @type {(lines: Buffer, start: number, room: number) => number} where a chunk with this room
 * ends: behind the record that holds the last byte of it (C3) */
const endOfChunk = (lines, start, room) =>
  start + room < lines.length ? lines.indexOf(LF, start + room - 1) + 1 : lines.length;

/** @param {Buffer} lines */
const countLines = (lines) => {
  let count = 0;
  for (let at = lines.indexOf(LF); at >= 0; at = lines.indexOf(LF, at + 1)) count++;
  return count;
};
