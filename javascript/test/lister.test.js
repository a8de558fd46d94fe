import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../src/config.js';
import { Journal } from '../src/journal.js';
import { inByteOrder, listSources } from '../src/lister.js';
import { MemoryStore } from './memory-store.js';

const ENV = { SRC_BUCKET: 'source', DST_BUCKET: 'destination', AWS_REGION: 'r', SRC_PREFIX: 'p/' };
const { config } = readConfig(ENV);
assert.ok(config);

/**
 * @param {string[]} keys
 * @param {{account?: string, pageSize?: number}} [options]
 */
const list = async (keys, { account, pageSize = 2 } = {}) => {
  const store = new MemoryStore(pageSize);
  for (const key of keys) store.bucket('source').set(key, Buffer.from('x'));
  const found = [];
  /** @type {string[]} */
  const log = [];
  const journal = new Journal('INFO', 'r', (line) => log.push(line));
  const day = { date: '2024-02-08', force: false, account: account ?? null };
  const pages = await listSources({ store, config, day, journal });
  for (let taken = 1; pages.canTake; taken++) {
    found.push(...(await pages.take()).map(({ key }) => key));
    pages.begin(taken);
  }
  journal.end({ error: null, cause: null, result: null });
  return { found, requests: store.requests, counted: JSON.parse(log.join()).phases.list.count };
};

const A = 'p/AWSLogs/111122223333/CloudTrail';
const B = 'p/AWSLogs/444455556666/CloudTrail';
const O = 'p/AWSLogs/o-a1b2/111122223333/CloudTrail';
const DAY = '2024/02/08';

test('sources of all accounts, layouts and regions come in byte order', async () => {
  const keys = [
    `${A}/eu-1/${DAY}/1`,
    `${A}/eu-1/${DAY}/2/deep`,
    `${A}/eu-1/${DAY}/3`,
    `${A}/us/${DAY}/a`,
  ];
  keys.push(
    `${A}/\uff5e/${DAY}/b`,
    `${A}/\u{1f600}/${DAY}/c`,
    `${B}/eu-1/${DAY}/d`,
    `${O}/eu-1/${DAY}/e`,
  );
  const { found } = await list(keys.toReversed());
  assert.deepEqual(found, keys);
});

test('neighbours and folder markers are not sources', async () => {
  const key = `${A}/eu-1/${DAY}/1`;
  const others = [
    `${A}/eu-1/${DAY}/`,
    `${A}/eu-1/2024/02/09/1`,
    `${A}-Digest/eu-1/${DAY}/1`,
    `${A}/eu-1`,
  ];
  others.push(
    `p/AWSLogs/12345/CloudTrail/eu-1/${DAY}/1`,
    `p/AWSLogs/o-/111122223333/CloudTrail/eu-1/${DAY}/1`,
  );
  assert.deepEqual((await list([key, ...others])).found, [key]);
});

test('with an account, only that account is listed, in both layouts', async () => {
  const keys = [`${A}/eu-1/${DAY}/1`, `${B}/eu-1/${DAY}/1`, `${O}/eu-1/${DAY}/1`];
  const { found, requests } = await list(keys, { account: '111122223333' });
  assert.deepEqual(found, [keys[0], keys[2]]);
  assert.ok(requests.every(([, prefix]) => !prefix.includes('444455556666')));
});

test('each page that is listed is counted, of folders and of sources', async () => {
  const { requests, counted } = await list([1, 2, 3].map((n) => `${O}/eu-1/${DAY}/${n}`));
  assert.equal(requests.length, 5);
  assert.equal(counted, 5); // O3
});

test('no region folder is no trail; an empty day is one', async () => {
  const message = { message: 'NO_TRAIL: p/AWSLogs/' };
  await assert.rejects(list([`p/AWSLogs/111122223333/CloudTrail-Digest/eu-1/${DAY}/1`]), message);
  await assert.rejects(list([`${A}/eu-1/${DAY}/1`], { account: '444455556666' }), message);
  assert.deepEqual((await list([`${A}/eu-1/2024/02/09/1`])).found, []);
});

test('the folders of a level are listed side by side', async () => {
  const store = new MemoryStore(2);
  const accounts = ['1', '2', '3', '4'].map((digit) => digit.repeat(12));
  for (const account of accounts)
    store.bucket('source').set(`p/AWSLogs/${account}/CloudTrail/eu-1/${DAY}/1`, Buffer.from('x'));
  const { listPage } = store;
  let [inFlight, most] = [0, 0];
  store.listPage = async (request) => {
    if (request.delimiter) most = Math.max(most, ++inFlight);
    const page = await listPage.call(store, request);
    if (request.delimiter) inFlight--;
    return page;
  };
  const day = { date: '2024-02-08', force: false, account: null };
  await listSources({ store, config, day, journal: new Journal('INFO', 'r') });
  const folders = store.requests.map(([, prefix]) => prefix);
  assert.deepEqual(folders.filter((prefix) => !prefix.endsWith(`${DAY}/`)).sort(), [
    'p/AWSLogs/',
    'p/AWSLogs/',
    ...accounts.map((account) => `p/AWSLogs/${account}/CloudTrail/`),
  ]);
  assert.equal(most, 4);
});

test('ten pages are requested ahead of the one that the consumer has begun', async () => {
  const store = new MemoryStore(2);
  for (let region = 10; region < 40; region++)
    for (let n = 0; n < 5; n++)
      store.bucket('source').set(`${A}/${region}/${DAY}/${n}`, Buffer.from('x'));
  const day = { date: '2024-02-08', force: false, account: null };
  const pages = await listSources({ store, config, day, journal: new Journal('INFO', 'r') });
  let [taken, begun, most] = [0, 0, 0];
  do {
    for (; pages.canTake; taken++) await pages.take();
    const requested = store.requests.filter(([, prefix]) => prefix.endsWith(`${DAY}/`)).length;
    most = Math.max(most, requested - begun);
    pages.begin(++begun);
  } while (begun < taken || pages.canTake);
  assert.deepEqual([taken, most], [90, 10]);
});

test('byte order is not the order of UTF-16 units', () => {
  assert.deepEqual(inByteOrder(['\u{1f600}', '\uff5e', 'a']), ['a', '\uff5e', '\u{1f600}']);
});
