import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { collect, toPage } from '../../src/s3/answers.js';

/** @param {string[]} pieces */
const body = (pieces) =>
  Readable.from(
    pieces.map((piece) => Buffer.from(piece)),
    { objectMode: false },
  );

test('a body is joined, and one above the limit is not read further', async () => {
  assert.equal(String(await collect(body(['12', '345']), 5)), '12345');
  assert.equal(String(await collect(body([]), 5)), '');
  const left = body(['123', '456', '789']);
  assert.equal(await collect(left, 5), null);
  assert.equal(left.destroyed, true);
});

test('a body that breaks off is a failed attempt', async () => {
  const cut = Readable.from(
    (function* () {
      yield Buffer.from('1234');
      throw new Error('aborted');
    })(),
  );
  await assert.rejects(collect(cut, 5), { message: 'aborted' });
});

test('an answer is a page only if it is whole', () => {
  const page = { IsTruncated: false, Contents: [{ Key: 'p/a', Size: 2 ** 53 }] };
  assert.deepEqual(toPage(page, 'p/').objects, [{ key: 'p/a', size: 2 ** 53 }]);
  for (const [change, message] of /** @type {[object, RegExp][]} */ ([
    [{ IsTruncated: undefined }, /IsTruncated/],
    [{ IsTruncated: true }, /token/],
    [{ IsTruncated: true, NextContinuationToken: '' }, /token/],
    [{ Contents: [{ Key: 'q/a', Size: 1 }] }, /outside/],
    [{ Contents: [{ Size: 1 }] }, /outside/],
    [{ CommonPrefixes: [{ Prefix: 'q/' }] }, /outside/],
    ...[undefined, '', '-1', '1.5', -1, 1.5, Number.NaN, 2 ** 54].map((Size) => [
      { Contents: [{ Key: 'p/a', Size }] },
      /size/,
    ]),
  ]))
    assert.throws(() => toPage({ ...page, ...change }, 'p/'), { message }, JSON.stringify(change));
});

test('keys are decoded only if the answer says that they are encoded', () => {
  const page = { IsTruncated: false, Contents: [{ Key: 'p/a+b%20', Size: 1 }] };
  assert.equal(toPage(page, 'p/').objects[0]?.key, 'p/a+b%20');
  assert.equal(toPage({ ...page, EncodingType: 'url' }, 'p/').objects[0]?.key, 'p/a b ');
});
