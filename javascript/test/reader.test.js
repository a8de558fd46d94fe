import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../src/config.js';
import { Journal } from '../src/journal.js';
import { listSources, SourcePages } from '../src/lister.js';
import { readSources } from '../src/reader.js';
import { MemoryStore } from './memory-store.js';

/** @import { ListedObject } from '../src/store.js' */

const ENV = {
  SRC_BUCKET: 'source',
  DST_BUCKET: 'destination',
  AWS_REGION: 'r',
  CONCURRENCY: '3',
  MAX_SOURCE_BYTES: '99',
};
const { config } = readConfig(ENV);
assert.ok(config);
const EMPTY = Buffer.from('{}');

/**
 * A listing of prefixes with one page each; an error fails its page.
 * @param {(ListedObject[] | Error)[]} pages
 */
const listingOf = async (pages) => {
  const listPage = async (/** @type {string} */ prefix) => {
    const objects = /** @type {ListedObject[] | Error} */ (pages[Number(prefix)]);
    if (objects instanceof Error) throw objects;
    return { objects, prefixes: [], nextToken: undefined };
  };
  return new SourcePages(listPage, [...pages.keys()].map(String));
};

/**
 * Reads all pages.
 * @param {ListedObject[][]} pages
 */
const read = async (pages, settings = config) => {
  let [inFlight, most] = [0, 0];
  const store = new MemoryStore();
  store.get = async (_bucket, key) => {
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    inFlight--;
    if (key === 'broken') throw new Error('broken');
    return Buffer.from(key);
  };
  const found = [];
  const run = { store, config: settings, journal: new Journal('INFO', 'r') };
  for await (const { key, body, error } of readSources(listingOf(pages), run))
    found.push(body ? String(body) : `${key}: ${/** @type {Error} */ (error).message}`);
  return { found, most };
};

test('bodies come in order, errors in their place', async () => {
  const sources = ['a', 'broken', 'c', 'd', 'e', 'f'].map((key) => ({ key, size: 1 }));
  sources.push({ key: 'large', size: 100 });
  const { found, most } = await read([
    sources.slice(0, 1),
    [],
    sources.slice(1, 3),
    sources.slice(3),
  ]);
  assert.deepEqual(found, ['a', 'broken: broken', 'c', 'd', 'e', 'f', 'large: TOO_LARGE: large']);
  assert.ok(most <= 3);
});

/**
 * How many sources the window holds at each source, with the one that is given.
 * @param {number[]} sizes
 * @param {number} concurrency
 */
const held = async (sizes, concurrency) => {
  const store = new MemoryStore();
  let asked = 0;
  store.get = async (_bucket, key) => {
    asked++;
    return Buffer.from(key);
  };
  const settings = { ...config, concurrency, maxSourceBytes: 1 << 29 };
  const run = { store, config: settings, journal: new Journal('INFO', 'r') };
  const pages = listingOf([sizes.map((size, n) => ({ key: `${n}`, size }))]);
  const windows = [];
  for await (const { key } of readSources(pages, run)) {
    assert.equal(key, `${windows.length}`);
    await new Promise((resolve) => setTimeout(resolve, 1)); // for what should not be asked for
    windows.push(asked - windows.length);
  }
  return windows;
};

test('the window is full, and has no more than it may hold', async () => {
  const six = [1, 1, 1, 1, 1, 1];
  assert.deepEqual(await held(six, 3), [3, 3, 3, 3, 2, 1]);
  assert.deepEqual(await held(six, 1), six);
});

test('the window is bounded by listed size, but holds one', async () => {
  const sizes = [70, 30, 30, 30].map((mib) => mib << 20);
  assert.deepEqual(await held(sizes, 16), [1, 2, 2, 1]);
});

test('requests and waits are counted', async () => {
  const store = new MemoryStore();
  store.get = async (_bucket, key, _limit, begin) => {
    begin?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return Buffer.from(key);
  };
  /** @type {any[]} */
  const log = [];
  const journal = new Journal('INFO', 'r', (line) => log.push(JSON.parse(line)));
  const sizes = [1, 1, 100]; // the last one is too large
  const pages = listingOf([sizes.map((size, n) => ({ key: `${n}`, size }))]);
  for await (const _ of readSources(pages, { store, config, journal }));
  journal.end({ error: null, cause: null, result: null });
  const { phases, wait_ms } = log.at(-1);
  assert.equal(phases.get.count, 2); // O3
  assert.ok(phases.get.sum_ms > 30);
  assert.ok(wait_ms > 15); // O4
});

test('a failed listing fails the reading', async () => {
  const pages = listingOf([[{ key: 'a', size: 1 }], new Error('no list')]);
  const store = new MemoryStore();
  store.bucket('source').set('a', Buffer.from('x'));
  const reading = readSources(pages, { store, config, journal: new Journal('INFO', 'r') });
  assert.equal((await reading.next()).value?.key, 'a');
  await assert.rejects(reading.next(), { message: 'no list' });
});

test('of folders with one source each, several are fetched, ten pages ahead at most', async () => {
  const store = new MemoryStore();
  const keys = Array.from(
    { length: 40 },
    (_, n) => `AWSLogs/111122223333/CloudTrail/r-${n + 100}/2024/02/08/a`,
  );
  // Every third folder has another day's source only.
  const kept = keys.filter((_, n) => n % 3 !== 1);
  for (const key of keys)
    store.bucket('source').set(kept.includes(key) ? key : key.replace('08/a', '09/a'), EMPTY);
  const settings = { ...config, concurrency: 30 };
  const { get, listPage } = store;
  let [inFlight, most, listed, mostAhead] = [0, 0, 0, 0];
  /** @type {string[]} */
  const found = [];
  store.listPage = async (request) => {
    if (request.delimiter === undefined) {
      const consumed =
        found.length === 0 ? 0 : keys.indexOf(/** @type {string} */ (found.at(-1))) + 1;
      mostAhead = Math.max(mostAhead, ++listed - consumed);
    }
    return listPage.call(store, request);
  };
  store.get = async (...parameters) => {
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inFlight--;
    return get.call(store, ...parameters);
  };
  const journal = new Journal('INFO', 'r');
  const day = { date: '2024-02-08', force: false, account: null };
  const run = { store, config: settings, day, journal };
  for await (const { key } of readSources(listSources(run), run)) found.push(key);
  assert.deepEqual(found, kept);
  assert.ok(most >= 5, `${most} in flight`);
  // The consumer's own page is not ahead, but counted here while it is consumed.
  assert.ok(mostAhead <= 10 + 1, `${mostAhead} ahead`);
});
