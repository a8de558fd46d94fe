// Step: inflater (SPEC.md R2 to R5, P3): a body as stored, gzip or plain, becomes its file.
// gunzipSync blocks the only thread: two bodies are never inflated at once (P3).

import zlib from 'node:zlib';
import { AggregationError } from './errors.js';

/** What zlib calls a damaged stream, a cut one, and one that needs a dictionary. */
const FAULTS = new Set(['Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT']);
/** Deflate makes at most so many bytes of one. */
const DEFLATE_RATIO = 1032;

/**
 * The file in a body. zlib joins members (R4) and finds each fault of R5 but one: zeros behind the
 * last member. The store has bounded the size of a plain body.
 * @param {Buffer} body
 * @param {number} maxBytes
 * @returns {Buffer}
 * @throws {AggregationError} TOO_LARGE or BAD_GZIP
 */
export const inflate = (body, maxBytes) => {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body;
  // One piece of output of the right size saves copies. The length that the last member claims is
  // input: it must not ask for more than the body can become.
  const claimed = body.length >= 4 ? body.readUInt32LE(body.length - 4) : 0;
  const chunkSize = Math.max(1024, Math.min(claimed, maxBytes, body.length * DEFLATE_RATIO) + 1);
  try {
    const inflated = gunzip(body, { info: true, maxOutputLength: maxBytes, chunkSize });
    // Of the input, despite its name.
    const consumed = inflated.engine.bytesWritten;
    if (consumed === body.length) return inflated.buffer;
  } catch (error) {
    const { code = '' } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new AggregationError('TOO_LARGE', 'when inflated');
    if (!FAULTS.has(code)) throw error;
  }
  throw new AggregationError('BAD_GZIP', 'see the source');
};

// The types don't know what `info` changes.
const gunzip =
  /** @type {(body: Buffer, options: zlib.ZlibOptions) => {buffer: Buffer, engine: zlib.Gunzip}} */
  (/** @type {unknown} */ (zlib.gunzipSync));
