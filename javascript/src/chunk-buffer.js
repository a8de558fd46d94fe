// Part of the step writer (SPEC.md P5): where a chunk's compressed bytes wait for their put, in one piece that grows
// where it stands: joining pieces would hold them twice. Its memory serves all chunks, and stays as large as the largest.

/** Of addresses, not of memory: more than the largest chunk and the largest source can become. */
const MOST_BYTES = 2 ** 31;
const STEP_BYTES = 2 ** 20;

export class ChunkBuffer {
  #memory = new ArrayBuffer(0, { maxByteLength: MOST_BYTES });
  #bytes = 0;

  /** @param {Buffer} piece */
  append(piece) {
    const end = this.#bytes + piece.length;
    if (end > this.#memory.byteLength) this.#memory.resize(Math.ceil(end / STEP_BYTES) * STEP_BYTES);
    new Uint8Array(this.#memory).set(piece, this.#bytes);
    this.#bytes = end;
  }

  clear() {
    this.#bytes = 0;
  }

  /** @returns {Buffer} a view of it, good until it is cleared */
  whole() {
    return Buffer.from(this.#memory, 0, this.#bytes);
  }
}
