import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readConfig } from '../src/config.js';
import { Publisher } from '../src/publisher.js';
import { MemoryStore } from './memory-store.js';

const { config } = readConfig({
  SRC_BUCKET: 'source',
  DST_BUCKET: 'destination',
  AWS_REGION: 'r',
  DST_PREFIX: 'out/',
});
assert.ok(config);
const DAY = { date: '2024-02-08', force: false, account: /** @type {string | null} */ (null) };
const PREFIX = 'out/2024/02/08/';

/**
 * Publishes chunks of n records, 10 n bytes each, n from 1.
 * @param {number} count
 * @param {object} [options]
 * @param {MemoryStore} [options.store]
 * @param {typeof DAY} [options.day]
 * @param {number} [options.sources]
 * @param {number} [options.bad]
 * @param {() => void} [options.check]
 * @param {() => void} [options.disarm]
 */
const publish = async (count, options = {}) => {
  const {
    store = new MemoryStore(2),
    day = DAY,
    sources = 5,
    bad = 0,
    check = () => {},
    disarm = () => {},
  } = options;
  const objects = store.bucket('destination');
  const chunks = Array.from({ length: count }, (_, at) => {
    const name = `${String(at + 1).padStart(6, '0')}.ndjson.gz`;
    return {
      hiddenKey: `${PREFIX}_req-${name}`,
      key: PREFIX + name,
      records: at + 1,
      bytes: 10 * (at + 1),
    };
  });
  for (const { hiddenKey } of chunks) objects.set(hiddenKey, gzipSync(hiddenKey));
  const publisher = new Publisher({ store, config, day, deadline: { check, disarm } });
  const result = await publisher.publish(chunks, sources, bad);
  return { result, store, objects };
};

test('chunks get their final names, and the manifest lists them', async () => {
  const { result, objects } = await publish(3, { bad: 1 });
  assert.deepEqual(result, {
    day: '2024-02-08',
    sources: 5,
    bad: 1,
    records: 6,
    bytes: 60,
    chunks: 3,
    deleted: 0,
  });
  const chunks = [1, 2, 3].map((n) => ({
    key: `${PREFIX}00000${n}.ndjson.gz`,
    records: n,
    bytes: 10 * n,
  }));
  assert.deepEqual(JSON.parse(String(objects.get(`${PREFIX}_manifest.json`))), { result, chunks });
  assert.deepEqual([...objects.keys()].sort(), [
    ...chunks.map(({ key }) => key),
    `${PREFIX}_manifest.json`,
  ]);
  assert.deepEqual(
    objects.get(`${PREFIX}000002.ndjson.gz`),
    gzipSync(`${PREFIX}_req-000002.ndjson.gz`),
  );
});

test('it adds chunks, replaces others downwards, deletes, puts the manifest, cleans', async () => {
  const store = new MemoryStore(2);
  for (const name of [
    '000001',
    '000003',
    '000007',
    '1000000',
    '_dead-000001',
    '_a-b-1000000',
    '0000009',
    'x-000009',
    '_x000009',
    'sub/000009',
  ])
    store.bucket('destination').set(`${PREFIX}${name}.ndjson.gz`, gzipSync('x'));
  const disarm = () => store.requests.push(['disarm', '']);
  const { result } = await publish(4, { store, disarm });
  assert.equal(result.deleted, 2);
  const writes = store.requests.filter(([operation]) => operation !== 'list');
  assert.deepEqual(
    writes.map(
      ([operation, key]) => `${operation} ${key.replace(PREFIX, '').replace('.ndjson.gz', '')}`,
    ),
    [
      'get _manifest.json',
      'disarm ',
      'copy 000002',
      'copy 000004',
      'copy 000003',
      'copy 000001',
      'delete 000007',
      'delete 1000000',
      'put _manifest.json',
      'delete _a-b-1000000',
      'delete _dead-000001',
      'delete _req-000001',
      'delete _req-000002',
      'delete _req-000003',
      'delete _req-000004',
    ],
  );
});

test('new chunks are copied side by side, and others one after the other', async () => {
  const store = new MemoryStore();
  for (const n of [1, 2, 4])
    store.bucket('destination').set(`${PREFIX}00000${n}.ndjson.gz`, gzipSync('x'));
  const { copy } = store;
  let inFlight = 0;
  /** @type {number[]} */
  const together = [];
  store.copy = async (...parameters) => {
    inFlight++;
    await copy.apply(store, parameters);
    together.push(inFlight--);
  };
  await publish(5, { store });
  const copies = store.requests.filter(([operation]) => operation === 'copy');
  const numbers = copies.map(([, key]) => Number(key.slice(PREFIX.length, PREFIX.length + 6)));
  assert.deepEqual(numbers, [3, 5, 4, 2, 1]);
  assert.deepEqual(together, [2, 1, 1, 1, 1]);
});

test('fewer readable sources than published are refused, unless forced', async () => {
  const { store } = await publish(1, { sources: 3, bad: 1 });
  await publish(1, { store, sources: 2 });
  const fewer = { message: 'FEWER_SOURCES: published 2, readable 1' };
  await assert.rejects(publish(1, { store, sources: 2, bad: 1 }), fewer);
  assert.equal(
    (await publish(1, { store, sources: 1, day: { ...DAY, force: true } })).result.sources,
    1,
  );
});

test('an unreadable manifest is refused, unless forced', async () => {
  const texts = [
    '',
    '{',
    '[]',
    'null',
    '{"result":{"sources":1}}',
    '{"result":{"sources":1,"bad":-1}}',
  ];
  texts.push(
    '{"result":{"sources":true,"bad":0}}',
    '{"result":{"sources":1.5,"bad":0}}',
    '{"result":{"sources":9007199254740994,"bad":9007199254740994}}',
    '{"result":{"sources":1e400,"bad":0}}',
    '\ufeff{"result":{"sources":1,"bad":0}}',
  );
  for (const text of texts) {
    const store = new MemoryStore();
    store.bucket('destination').set(`${PREFIX}_manifest.json`, Buffer.from(text));
    await assert.rejects(
      publish(0, { store }),
      { message: `BAD_MANIFEST: ${PREFIX}_manifest.json` },
      text,
    );
    assert.equal((await publish(0, { store, day: { ...DAY, force: true } })).result.chunks, 0);
  }
});

test('a run that is out of time publishes nothing', async () => {
  const store = new MemoryStore();
  const check = () => {
    throw new Error('late');
  };
  await assert.rejects(publish(1, { store, check, disarm: assert.fail }), { message: 'late' });
  assert.deepEqual([...store.bucket('destination').keys()], [`${PREFIX}_req-000001.ndjson.gz`]);
});

test("an account's manifest stands in a folder of its own", async () => {
  const { objects } = await publish(0, { day: { ...DAY, account: '111122223333' } });
  assert.deepEqual([...objects.keys()], ['out/111122223333/2024/02/08/_manifest.json']);
});
