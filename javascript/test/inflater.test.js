import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inflate } from '../src/inflater.js';

const TEXT = Buffer.from('{"Records":[]}'.repeat(1000));
const GZIP = gzipSync(TEXT);

/**
 * @param {Buffer} body
 * @param {number} [max]
 */
const outcome = (body, max = 1 << 20) => {
  try {
    return inflate(body, max).length;
  } catch (error) {
    return /** @type {{code: string}} */ (error).code;
  }
};
/** @param {number} at @param {number} value */
const altered = (at, value) => {
  const copy = Buffer.from(GZIP);
  copy[at < 0 ? copy.length + at : at] = value;
  return copy;
};

test('plain bodies are taken as they are, gzip members are joined', () => {
  assert.equal(outcome(Buffer.from('{}')), 2);
  assert.equal(outcome(Buffer.from([0x1f])), 1);
  assert.equal(outcome(Buffer.concat([GZIP, gzipSync(''), GZIP])), 2 * TEXT.length);
  assert.equal(outcome(Buffer.concat([GZIP, gzipSync('')])), TEXT.length);
});

test('the limit is inclusive', () => {
  assert.equal(outcome(GZIP, TEXT.length), TEXT.length);
  assert.equal(outcome(GZIP, TEXT.length - 1), 'TOO_LARGE');
  assert.equal(outcome(Buffer.concat([GZIP, GZIP]), TEXT.length), 'TOO_LARGE');
});

test('a lying trailer neither helps nor harms', () => {
  assert.equal(outcome(Buffer.concat([altered(-1, 0xff)])), 'BAD_GZIP');
  assert.equal(outcome(altered(-4, 0)), 'BAD_GZIP');
});

test('damage anywhere is bad gzip', () => {
  for (let cut = 1; cut <= GZIP.length - 2; cut++)
    assert.equal(outcome(GZIP.subarray(0, -cut)), 'BAD_GZIP', `${cut}`);
  for (const tail of ['00', '0000', '1f', '1f8b', '1f8b08', '61', '1f00'])
    assert.equal(outcome(Buffer.concat([GZIP, Buffer.from(tail, 'hex')])), 'BAD_GZIP', tail);
  for (const flag of [0x20, 0x40, 0x80])
    assert.equal(outcome(altered(3, flag)), 'BAD_GZIP', `${flag}`);
  assert.equal(outcome(altered(2, 7)), 'BAD_GZIP');
  assert.equal(outcome(altered(-8, (GZIP.at(-8) ?? 0) ^ 1)), 'BAD_GZIP');
  assert.equal(outcome(Buffer.concat([GZIP, Buffer.alloc(3), GZIP])), 'BAD_GZIP');
});
