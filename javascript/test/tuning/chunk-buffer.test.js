import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkBuffer } from '../../src/tuning/chunk-buffer.js';

test('pieces of any size become one, in memory that serves again', () => {
  const buffer = new ChunkBuffer();
  for (const sizes of [[1, 3_000_000, 0, 2], [5], [2 ** 20, 2 ** 20]]) {
    const pieces = sizes.map((size, n) => Buffer.alloc(size, `${n}`));
    buffer.clear();
    for (const piece of pieces) buffer.append(piece);
    const whole = buffer.whole();
    assert.ok(whole.equals(Buffer.concat(pieces)));
    assert.equal(whole.buffer.byteLength, 3 * 2 ** 20);
  }
});
