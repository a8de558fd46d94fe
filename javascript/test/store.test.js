import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../src/journal.js';
import { S3Store } from '../src/store.js';

/** @import { S3Client } from '../src/store.js' */

/** @param {number} httpStatusCode @param {string} Code */
const refusal = (httpStatusCode, Code) =>
  Object.assign(new Error('m'), { Code, $metadata: { httpStatusCode } });

/** @param {Partial<S3Client>} client */
const open = (client) => {
  /** @type {any[]} */
  const log = [];
  const journal = new Journal('INFO', 'r', (line) => log.push(JSON.parse(line)));
  const run = { journal, deadline: { allows: () => true } };
  const connections = { closeIdle: () => {}, doubt: () => {} };
  return { log, store: new S3Store(/** @type {S3Client} */ ({ connections, ...client }), 1, run) };
};

test('what S3 tells of an object is a code, another refusal is S3_ERROR', async () => {
  const refusals = [
    refusal(404, 'NoSuchKey'),
    refusal(403, 'InvalidObjectState'),
    refusal(404, 'NoSuchBucket'),
  ];
  const { store } = open({ get: () => Promise.reject(refusals.shift()) });
  await assert.rejects(store.get('bucket', 'k', 9), { code: 'MISSING' });
  await assert.rejects(store.get('bucket', 'k', 9), { code: 'ARCHIVED' });
  await assert.rejects(store.get('bucket', 'k', 9), { message: 'S3_ERROR: get k (NoSuchBucket)' });
  await assert.rejects(store.failed, { message: 'S3_ERROR: get k (NoSuchBucket)' });
});

test('a failed copy is named by its destination', async () => {
  const { store } = open({
    copy: () =>
      Promise.reject(Object.assign(new Error('m'), { $metadata: { httpStatusCode: 403 } })),
  });
  await assert.rejects(store.copy('bucket', 'from', 'to'), { message: 'S3_ERROR: copy to' });
});

test('a put on a condition has the ETag or the refusal, another put is S3_ERROR', async () => {
  const refused = Promise.reject(refusal(412, 'PreconditionFailed'));
  const answers = [Promise.resolve('"e"'), refused, refused];
  answers.forEach((answer) => void answer.catch(() => {}));
  const { store } = open({ put: () => answers.shift() ?? Promise.reject(new Error('no more')) });
  const request = { bucket: 'bucket', key: 'k', bytes: Buffer.alloc(0), contentType: 't' };
  assert.equal(await store.putIf({ ...request, IfNoneMatch: '*' }), '"e"');
  await assert.rejects(store.putIf({ ...request, IfMatch: '"e"' }), { code: 'CHANGED' });
  await assert.rejects(store.put(request), { message: 'S3_ERROR: put k (PreconditionFailed)' });
});

test('a code of S3 counts only with its own status', async () => {
  const answers = [refusal(503, 'NoSuchKey'), refusal(500, 'InvalidObjectState')];
  const { store, log } = open({
    get: async () => {
      const answer = answers.shift();
      if (answer) throw answer;
      return Buffer.from('x');
    },
  });
  assert.equal(String(await store.get('bucket', 'k', 9)), 'x');
  assert.equal(log.length, 2);
});
