import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Claim } from '../src/claim.js';
import { readConfig } from '../src/config.js';
import { AggregationError } from '../src/errors.js';
import { MemoryStore } from './memory-store.js';

const KEY = 'out/2024/02/08/_claim.json';
const ENV = {
  SRC_BUCKET: 'source',
  DST_BUCKET: 'destination',
  DST_PREFIX: 'out/',
  AWS_REGION: 'r',
};
const DAY = { date: '2024-02-08', force: true, account: null };
const ENDS_AT_MS = Date.parse('2024-02-09T03:00:00.500Z');
const OWN = '{"run":"req","expires":"2024-02-09T03:01:00.500Z"}';
const LIVE = '{"run":"other","expires":"9999-12-31T23:59:59.999Z"}';
const EXPIRED = '{"run":"other","expires":"2024-02-09T02:46:00.000Z"}';

/** @param {string} [left] the claim that is there */
const open = (left) => {
  const store = new MemoryStore();
  const objects = store.bucket('destination');
  if (left !== undefined) objects.set(KEY, Buffer.from(left));
  const { config } = readConfig(ENV);
  assert.ok(config);
  const claim = new Claim({ store, config, day: DAY, requestId: 'req' }, ENDS_AT_MS);
  const operations = () => store.requests.map(([operation]) => operation).join(' ');
  return { store, objects, claim, text: () => objects.get(KEY)?.toString(), operations };
};

test('a free day is claimed until a minute after the invocation, and given back', async () => {
  const { store, claim, text, operations } = open();
  await claim.take();
  assert.equal(text(), OWN);
  await claim.release(store, 1000);
  assert.equal(text(), undefined);
  assert.equal(operations(), 'put delete');
});

test('a live claim of another run is BUSY and stays, with force, too', async () => {
  const { store, claim, text, operations } = open(LIVE);
  await assert.rejects(claim.take(), { message: `BUSY: ${KEY}` });
  await claim.release(store, 1000);
  assert.equal(text(), LIVE);
  assert.equal(operations(), 'put get');
});

for (const left of [
  EXPIRED,
  '',
  'not JSON',
  'null',
  '[]',
  '{"run":"other"}',
  '{"run":1,"expires":"9999-12-31T23:59:59.999Z"}',
  '{"run":"other","expires":"9999-12-31"}',
  '{"run":"other","expires":"9999-02-30T00:00:00.000Z"}',
  '{"run":"other","expires":253402300799999}',
  LIVE.padEnd(70_000),
])
  test(`a claim that no live run has put is taken over: ${left.slice(0, 60)}`, async () => {
    const { store, claim, text, operations } = open(left);
    await claim.take();
    assert.equal(text(), OWN);
    assert.equal(operations(), 'put get put');
    await claim.release(store, 1000);
    assert.equal(text(), undefined);
  });

test('the own claim, whose answer was lost, is held', async () => {
  const { store, claim, text, operations } = open(OWN);
  await claim.take();
  assert.equal(operations(), 'put get');
  await claim.release(store, 1000);
  assert.equal(text(), undefined);
});

test('a claim that goes or changes meanwhile is met again', async () => {
  const { store, objects, claim, operations, text } = open(LIVE);
  const getTagged = store.getTagged.bind(store);
  const turns = [
    () => objects.delete(KEY),
    () => objects.set(KEY, Buffer.from(EXPIRED)),
    () => objects.delete(KEY),
  ];
  store.getTagged = async (...names) => {
    // It goes before the get, and after the get it changes or goes.
    if (turns.length === 3) turns.shift()?.();
    const found = getTagged(...names);
    return found.finally(() => turns.shift()?.());
  };
  await claim.take();
  assert.equal(text(), OWN);
  assert.equal(operations(), 'put get put get put put');
});

test('an expired claim that another run takes over first makes the day busy', async () => {
  const { store, objects, claim, text } = open(EXPIRED);
  const getTagged = store.getTagged.bind(store);
  store.getTagged = async (...names) => {
    const found = await getTagged(...names);
    objects.set(KEY, Buffer.from(LIVE));
    return found;
  };
  await assert.rejects(claim.take(), { message: `BUSY: ${KEY}` });
  assert.equal(text(), LIVE);
});

test('five rounds without a claim are BUSY', async () => {
  const { store, claim, operations } = open();
  store.putIf = async ({ key }) => {
    store.requests.push(['put', key]);
    throw new AggregationError('CHANGED', '');
  };
  await assert.rejects(claim.take(), { message: `BUSY: ${KEY}` });
  assert.equal(operations(), Array(5).fill('put get').join(' '));
});

test('S3 errors end the attempt to claim, and only that', async () => {
  const failing = open(EXPIRED);
  failing.store.faults = [{ operation: 'get', key: KEY, code: 'AccessDenied' }];
  await assert.rejects(failing.claim.take(), { message: `S3_ERROR: get ${KEY} (AccessDenied)` });
  assert.equal(failing.text(), EXPIRED);

  const releasing = open();
  await releasing.claim.take();
  releasing.store.faults = [{ operation: 'delete', key: KEY, code: 'AccessDenied' }];
  await releasing.claim.release(releasing.store, 1000);
  assert.equal(releasing.text(), OWN);
});

test('a claim that another run has taken over is not deleted', async () => {
  const { store, objects, claim, text } = open();
  await claim.take();
  objects.set(KEY, Buffer.from(LIVE));
  await claim.release(store, 1000);
  assert.equal(text(), LIVE);
});

test('a release that hangs is given up', async () => {
  const { store, claim } = open();
  await claim.take();
  const { promise, reject } = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());
  store.delete = () => promise;
  store.close = () => reject(new Error('closed'));
  await claim.release(store, 20);
});
