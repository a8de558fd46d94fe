import assert from 'node:assert/strict';
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

test('what S3 tells of an object is a code, another refusal is S3_ERROR', async () => {
  const refusal = (/** @type {string} */ name) =>
    Object.assign(new Error('m'), { name, $metadata: { httpStatusCode: 404 } });
  const refusals = ['NoSuchKey', 'InvalidObjectState', 'NoSuchBucket'].map(refusal);
  const { store } = open({ get: () => Promise.reject(refusals.shift()) });
  await assert.rejects(store.get('bucket', 'k', 9), { code: 'MISSING' });
  await assert.rejects(store.get('bucket', 'k', 9), { code: 'ARCHIVED' });
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

test('a put on a condition has the ETag or the refusal, another put is S3_ERROR', async () => {
  const refusal = Object.assign(new Error('m'), {
    name: 'PreconditionFailed',
    $metadata: { httpStatusCode: 412 },
  });
  const answers = [Promise.resolve('"e"'), Promise.reject(refusal), Promise.reject(refusal)];
  answers.forEach((answer) => void answer.catch(() => {}));
  const { store } = open({ put: () => answers.shift() ?? Promise.reject(new Error('no more')) });
  const request = { bucket: 'bucket', key: 'k', bytes: Buffer.alloc(0), contentType: 't' };
  assert.equal(await store.putIf({ ...request, IfNoneMatch: '*' }), '"e"');
  await assert.rejects(store.putIf({ ...request, IfMatch: '"e"' }), { code: 'CHANGED' });
  await assert.rejects(store.put(request), { message: 'S3_ERROR: put k' });
});
