// Part of the step writer (SPEC.md P3, W1, S7): one gzip stream per chunk, without time and name in its header.
// It is fed in large pieces, because each feed is a trip to another thread. Holds one such piece, copied, because a view
// would keep the whole file that its lines come from, and what came out.

import { once } from 'node:events';
import zlib from 'node:zlib';

/** @import { ChunkBuffer } from './chunk-buffer.js' */
/** @import { Journal } from './journal.js' */

const FEED_BYTES = 512 * 1024;
const PIECE_BYTES = 128 * 1024;

/** One open chunk. */
export class Compressor {
  records = 0;
  bytes = 0;
  #journal;
  #gzip;
  #compressed;
  #unfed = Buffer.allocUnsafeSlow(FEED_BYTES);
  #unfedBytes = 0;

  /**
   * @param {number} level
   * @param {Journal} journal
   * @param {ChunkBuffer} compressed is emptied for this chunk
   */
  constructor(level, journal, compressed) {
    this.#journal = journal;
    this.#compressed = compressed;
    compressed.clear();
    this.#gzip = zlib.createGzip({ level, chunkSize: PIECE_BYTES });
    this.#gzip.on('data', (piece) => compressed.append(piece));
  }

  /**
   * Takes lines in. Afterwards their memory is the caller's again.
   * @param {Buffer} lines
   * @param {number} records
   */
  async add(lines, records) {
    this.records += records;
    this.bytes += lines.length;
    if (this.#unfedBytes + lines.length >= FEED_BYTES) {
      const startedMs = performance.now();
      await this.#feedCopied();
      if (lines.length >= FEED_BYTES) await this.#feed(lines);
      this.#journal.add('compress', startedMs, 0);
    }
    if (lines.length < FEED_BYTES) this.#unfedBytes += lines.copy(this.#unfed, this.#unfedBytes);
  }

  async #feedCopied() {
    const bytes = this.#unfedBytes;
    this.#unfedBytes = 0;
    if (bytes > 0) await this.#feed(this.#unfed.subarray(0, bytes));
  }

  /**
   * Ends when the piece is taken in wholly.
   * @param {Buffer} piece
   */
  async #feed(piece) {
    await new Promise((resolve) => this.#gzip.write(piece, resolve));
  }

  /** @returns {Promise<Buffer>} the whole chunk, good until the next one is begun */
  close() {
    return this.#journal.time('compress', async () => {
      await this.#feedCopied();
      const ended = once(this.#gzip, 'end');
      this.#gzip.end();
      await ended;
      return this.#compressed.whole();
    });
  }
}
