// Step: inflater (SPEC.md R2 to R5, P3): a body as stored, gzip or plain, becomes its file.
// It blocks the one thread, so that no two bodies are inflated at a time.

import zlib from 'node:zlib';
import { AggregationError } from './errors.js';

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
    if (inflated.engine.bytesWritten === body.length) return inflated.buffer;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ERR_BUFFER_TOO_LARGE')
      throw new AggregationError('TOO_LARGE', 'when inflated');
  }
  throw new AggregationError('BAD_GZIP', 'see the source');
};

// The types don't know what `info` changes.
const gunzip =
  /** @type {(body: Buffer, options: zlib.ZlibOptions) => {buffer: Buffer, engine: zlib.Gunzip}} */
  (/** @type {unknown} */ (zlib.gunzipSync));
