import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../src/config.js';
import { s3Error } from '../src/errors.js';
import { createHandler, handler } from '../src/handler.js';
import { MemoryStore } from './memory-store.js';

const ENV = { SRC_BUCKET: 'source', DST_BUCKET: 'destination', AWS_REGION: 'r' };
const EVENT = { year: 2024, month: 2, day: 8 };
const FOLDER = 'AWSLogs/111122223333/CloudTrail/eu-1/2024/02/08/';

/**
 * @param {MemoryStore} store
 * @param {{event?: unknown, remainingMs?: number, env?: Record<string, string>}} [options]
 */
const invoke = async (store, { event = EVENT, remainingMs = 60_000, env = ENV } = {}) => {
  /** @type {any[]} */
  const log = [];
  const invocation = createHandler(
    readConfig(env),
    () => store,
    (line) => log.push(JSON.parse(line)),
  )(event, { awsRequestId: 'req', getRemainingTimeInMillis: () => remainingMs });
  const error = await invocation.then(
    () => null,
    (reason) => reason,
  );
  return { error, log, end: log.at(-1) };
};

/** @param {Record<string, string>} sources */
const stage = (sources) => {
  const store = new MemoryStore();
  store.bucket('destination');
  for (const [name, text] of Object.entries(sources))
    store.bucket('source').set(FOLDER + name, Buffer.from(text));
  return store;
};

test('a run logs its start, its bad sources and, last, its end', async () => {
  const { error, log, end } = await invoke(stage({ a: '{"Records":[{}]}', 'b\n': '{' }));
  assert.equal(error.message, `BAD_SOURCES: 1 of 2: ${FOLDER}b\\u000a (BAD_JSON)`);
  assert.equal(error.name, 'AggregationError');
  assert.deepEqual(log.slice(0, -1), [
    {
      level: 'INFO',
      event: 'start',
      request_id: 'req',
      day: '2024-02-08',
      account: null,
      force: false,
    },
    {
      level: 'WARN',
      event: 'bad_source',
      request_id: 'req',
      key: `${FOLDER}b\n`,
      code: 'BAD_JSON',
    },
  ]);
  assert.deepEqual(
    [end.level, end.event, end.error, end.result],
    ['ERROR', 'end', error.message, null],
  );
  const counts = Object.values(end.phases).map(({ count }) => count);
  assert.deepEqual(counts, [3, 2, 2, 1, 1, 1]);
});

test('bad settings come before a bad event', async () => {
  const { error, log } = await invoke(new MemoryStore(), { event: null, env: {} });
  assert.equal(error.message, 'BAD_SETTINGS: SRC_BUCKET');
  assert.equal(log.length, 1);
});

test('the module itself starts with bad settings', async () => {
  const context = { awsRequestId: 'req', getRemainingTimeInMillis: () => 1000 };
  await assert.rejects(handler(EVENT, context), { message: /^BAD_SETTINGS: / });
});

test('a fault that the contract does not name is told to the log only', async () => {
  const store = stage({ a: '{"Records":[]}' });
  store.put = () => Promise.reject(new TypeError('unforeseen'));
  const { error, end } = await invoke(store);
  assert.equal(error.message, 'INTERNAL: see the log');
  assert.equal(end.cause, 'TypeError: unforeseen');
});

test('a hanging request ends the run in time, and its pending requests with it', async () => {
  const store = stage({ a: '{"Records":[{}]}', b: '{"Records":[{}]}' });
  const get = store.get.bind(store);
  store.get = (bucket, key, limit) =>
    key.endsWith('b') ? new Promise(() => {}) : get(bucket, key, limit);
  let closed = 0;
  store.close = () => void closed++;
  const { error } = await invoke(store, { remainingMs: 200 });
  assert.equal(error.message, 'OUT_OF_TIME: 1 sources read');
  assert.equal(closed, 1);
  assert.equal(store.bucket('destination').size, 0);
});

test('a request that fails for good ends the run, though one before it hangs', async () => {
  const store = stage({ a: '{"Records":[{}]}', b: '{"Records":[{}]}' });
  const { promise, reject } = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());
  store.failed = promise;
  store.get = async (_, key) => {
    if (key.endsWith('b')) reject(s3Error('get', key, '', '403'));
    return new Promise(() => {});
  };
  const { error } = await invoke(store, { remainingMs: 5_000 });
  assert.equal(error.message, `S3_ERROR: get ${FOLDER}b`);
});

test('a source whose chunk is being put is not yet read', async () => {
  const store = stage({ a: '{"Records":[{}]}' });
  store.put = () => new Promise(() => {});
  const { error } = await invoke(store, { remainingMs: 200, env: { ...ENV, CHUNK_BYTES: '1' } });
  assert.equal(error.message, 'OUT_OF_TIME: 0 sources read');
});

test('a put that a failed run leaves behind keeps its bytes', async () => {
  const store = stage({ a: '{"Records":[{"n":1}]}' });
  const { settings, context } = { settings: readConfig(ENV), context: { awsRequestId: 'req' } };
  const function_ = createHandler(
    settings,
    () => store,
    () => {},
  );
  const run = (/** @type {number} */ ms) =>
    function_(EVENT, { ...context, getRemainingTimeInMillis: () => ms });
  const put = store.put.bind(store);
  /** @type {Buffer[]} */
  const left = [];
  store.put = ({ bytes }) => new Promise(() => left.push(bytes));
  await assert.rejects(run(200), { message: 'OUT_OF_TIME: 1 sources read' });
  const before = left.map(String);
  store.put = put;
  store.bucket('source').set(`${FOLDER}a`, Buffer.from('{"Records":[{"n":22222222222222222}]}'));
  await run(60_000);
  assert.deepEqual([left.length, left.map(String)], [1, before]);
});

test('a listing that hangs ends in time, too', async () => {
  const store = stage({});
  store.listPage = () => new Promise(() => {});
  assert.equal(
    (await invoke(store, { remainingMs: 50 })).error.message,
    'OUT_OF_TIME: 0 sources read',
  );
});

test('a run that publishes is not stopped', async () => {
  const store = stage({ a: '{"Records":[{}]}' });
  const copy = store.copy.bind(store);
  store.copy = async (...names) => {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await copy(...names);
  };
  assert.equal((await invoke(store, { remainingMs: 2_000 })).error, null);
});

test('what is left of a run that has ended writes nothing', async () => {
  const store = stage({ a: '{"Records":[{}]}', b: '{' });
  const get = store.get.bind(store);
  store.get = async (bucket, key, limit) => {
    if (key.endsWith('a')) await new Promise((resolve) => setTimeout(resolve, 150));
    return get(bucket, key, limit);
  };
  const { log } = await invoke(store, { remainingMs: 100 });
  const lines = log.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(log.length, lines);
  assert.equal(store.bucket('destination').size, 0);
});

const CLAIM = '2024/02/08/_claim.json';

test('a run claims the day first and gives it back last', async () => {
  const store = stage({ a: '{"Records":[{}]}' });
  assert.equal((await invoke(store)).error, null);
  assert.deepEqual(store.requests.at(0), ['put', CLAIM]);
  assert.deepEqual(store.requests.at(-1), ['delete', CLAIM]);
});

test('a day that another run holds is not read', async () => {
  const store = stage({ a: '{"Records":[{}]}' });
  const claim = { run: 'other', expires: '9999-12-31T23:59:59.999Z' };
  store.bucket('destination').set(CLAIM, Buffer.from(JSON.stringify(claim)));
  const { error, log } = await invoke(store);
  assert.equal(error.message, `BUSY: ${CLAIM}`);
  assert.deepEqual(store.requests, [
    ['put', CLAIM],
    ['get', CLAIM],
  ]);
  assert.equal(log.at(-1).event, 'end');
});

test('a run that fails or has no time left gives the day back before its end line', async () => {
  for (const get of [
    () => Promise.reject(s3Error('get', 'k', '', '403')),
    () => new Promise(() => {}),
  ]) {
    const store = stage({ a: '{"Records":[{}]}' });
    store.get = get;
    const { error, end } = await invoke(store, { remainingMs: 300 });
    assert.match(error.message, /^(S3_ERROR: get k|OUT_OF_TIME: 0 sources read)$/);
    assert.deepEqual(store.requests.at(-1), ['delete', CLAIM]);
    assert.equal(store.bucket('destination').size, 0);
    assert.equal(end.event, 'end');
  }
});

test('before the trigger is read there is no claim', async () => {
  const store = stage({});
  await invoke(store, { event: {} });
  assert.deepEqual(store.requests, []);
});

test('a publication that is cancelled counts in the end line', async () => {
  const store = stage({ a: '{"Records":[{}]}' });
  const { promise, reject } = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());
  const failure = s3Error('delete', 'k', '', '403');
  store.failed = promise;
  store.delete = async ({ key }) => {
    if (key === CLAIM) return;
    reject(failure);
    await new Promise(setImmediate);
    throw failure;
  };
  const { error, end } = await invoke(store);
  assert.deepEqual([error, end.phases.publish.count], [failure, 1]);
});
