// Step: inflater (SPEC.md R2 to R5, P3): a body as stored, gzip or plain, becomes its text.
// gunzipSync blocks the only thread: two bodies are never inflated at once (P3).

import zlib from 'node:zlib';
import { AggregationError } from './errors.js';
import { outputSize } from './tuning/output-size.js';

/** What zlib calls a damaged stream, a cut one, and one that needs a dictionary. */
const FAULTS = new Set(['Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT']);

/**
 * The text in a body. zlib joins members (R4) and finds each fault of R5 but one: zeros behind the
 * last member. The store has bounded the size of a plain body.
 * @param {Buffer} body
 * @param {number} maxBytes
 * @returns {Buffer}
 * @throws {AggregationError} TOO_LARGE or BAD_GZIP
 */
export const inflate = (body, maxBytes) => {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body;
  try {
    const chunkSize = outputSize(body, maxBytes);
    const inflated = gunzip(body, { info: true, maxOutputLength: maxBytes, chunkSize });
    // Bytes of the input, despite the name.
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
