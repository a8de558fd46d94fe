import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Journal } from '../src/journal.js';
import { S3Store } from '../src/store.js';

/** @import { S3Client } from '../src/store.js' */

/** @param {Partial<S3Client>} client */
const open = (client) => {
  /** @type {any[]} */
  const log = [];
  const journal = new Journal('INFO', 'r', (line) => log.push(JSON.parse(line)));
  return { log, store: new S3Store(/** @type {S3Client} */ (client), 1, journal) };
};

/** @param {string[]} pieces @param {number} [length] */
const body = (pieces, length = 0) => ({
  stream: Readable.from(
    pieces.map((piece) => Buffer.from(piece)),
    { objectMode: false },
  ),
  length,
});

test('a body is joined, and one above the limit is not read further', async () => {
  const left = body(['123', '456', '789']);
  const bodies = [body(['12', '345']), body([]), left];
  const { store } = open({ get: async () => /** @type {any} */ (bodies.shift()) });
  assert.equal(String(await store.get('bucket', 'k', 5)), '12345');
  assert.equal(String(await store.get('bucket', 'k', 5)), '');
  await assert.rejects(store.get('bucket', 'k', 5), { code: 'TOO_LARGE' });
  assert.equal(left.stream.destroyed, true);
});

test('a body shorter than its Content-Length is a failed attempt', async () => {
  const bodies = [body(['1234'], 5), body(['12345'], 5)];
  const { store, log } = open({ get: async () => /** @type {any} */ (bodies.shift()) });
  assert.equal(String(await store.get('bucket', 'k', 9)), '12345');
  assert.deepEqual(
    log.map(({ operation, key, cause }) => [operation, key, cause]),
    [['get', 'k', 'Error: 4 of 5 bytes received']],
  );
});

test('NoSuchKey is MISSING, another refusal is S3_ERROR', async () => {
  const refusal = (/** @type {string} */ name) =>
    Object.assign(new Error('m'), { name, $metadata: { httpStatusCode: 404 } });
  const refusals = [refusal('NoSuchKey'), refusal('NoSuchBucket')];
  const { store } = open({ get: () => Promise.reject(refusals.shift()) });
  await assert.rejects(store.get('bucket', 'k', 9), { code: 'MISSING' });
  await assert.rejects(store.get('bucket', 'k', 9), { message: 'S3_ERROR: get k' });
  await assert.rejects(store.failed, { message: 'S3_ERROR: get k' });
});

test('a failed copy is named by its destination', async () => {
  const { store } = open({
    copy: () =>
      Promise.reject(Object.assign(new Error('m'), { $metadata: { httpStatusCode: 403 } })),
  });
  await assert.rejects(store.copy('bucket', 'from', 'to'), { message: 'S3_ERROR: copy to' });
});
