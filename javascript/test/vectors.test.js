// The contract as data: every folder of tests/vectors against the handler and the in-memory store.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readConfig } from '../src/config.js';
import { createHandler } from '../src/handler.js';
import { MemoryStore } from './memory-store.js';
import { makeObjects, readTree } from './vector-files.js';

const VECTORS = join(import.meta.dirname, '../../tests/vectors');
const REQUEST_ID = 'test-request';
const SETTINGS = {
  AWS_REGION: 'eu-west-1',
  SRC_BUCKET: 'source-bucket',
  DST_BUCKET: 'destination-bucket',
};
const CHUNK = /^([0-9]{6}|[1-9][0-9]{6,})\.ndjson\.gz$/;
const HIDDEN = /^_.*-([0-9]{6}|[1-9][0-9]{6,})\.ndjson\.gz$/;

/** @typedef {Map<string, Buffer>} Objects */

/** @param {string} folder @param {any} vector */
const stage = (folder, vector) => {
  const store = new MemoryStore();
  store.faults = vector.faults ?? [];
  const source = store.bucket(SETTINGS.SRC_BUCKET);
  for (const [key, text] of readTree(join(folder, 'source')))
    source.set(key, key.endsWith('.gz') ? gzipSync(text) : text);
  for (const [key, bytes] of makeObjects(vector.objects ?? [], folder)) source.set(key, bytes);
  const destination = store.bucket(SETTINGS.DST_BUCKET);
  for (const [key, bytes] of makeObjects(vector.destination ?? [], folder))
    destination.set(key, bytes);
  return store;
};

/** @param {MemoryStore} store @param {any} vector @param {any} step */
const invoke = async (store, vector, step) => {
  const settings = Object.entries({ ...SETTINGS, ...vector.settings, ...step.settings });
  const env = Object.fromEntries(settings.filter(([, value]) => value !== null));
  /** @type {any[]} */
  const log = [];
  const handler = createHandler(
    readConfig(env),
    () => store,
    (line) => log.push(JSON.parse(line)),
  );
  const remaining = (step.timeout_s ?? 60) * 1000;
  const context = { awsRequestId: REQUEST_ID, getRemainingTimeInMillis: () => remaining };
  const event = 'event_text' in step ? JSON.parse(step.event_text) : step.event;
  const outcome = await handler(event, context).then(
    (result) => ({ result }),
    (error) => ({ error: error.message }),
  );
  return { outcome, log };
};

/**
 * W6 and W7.
 * @param {Objects} objects
 * @param {string} prefix
 * @param {unknown} result
 */
const checkPublished = (objects, prefix, result) => {
  const names = [...objects.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  const chunks = names
    .filter((name) => CHUNK.test(name))
    .sort()
    .map((name) => ({ key: prefix + name, text: gunzipSync(objects.get(prefix + name) ?? '') }))
    .map(({ key, text }) => ({
      key,
      records: text.filter((byte) => byte === 10).length,
      bytes: text.length,
    }));
  assert.deepEqual(JSON.parse(String(objects.get(`${prefix}_manifest.json`))), { result, chunks });
  const hidden = names.filter((name) => HIDDEN.test(name) && !name.includes('/'));
  assert.deepEqual(hidden, []);
};

/**
 * @param {Objects} objects
 * @param {[string, Buffer][]} expected
 * @param {Set<string>} manifests
 */
const checkLeft = (objects, expected, manifests) => {
  const text = (/** @type {string} */ key, /** @type {Buffer} */ bytes) =>
    String(key.endsWith('.gz') && bytes[0] === 0x1f ? gunzipSync(bytes) : bytes);
  const wanted = new Map(expected.map(([key, bytes]) => [key, text(key, bytes)]));
  const isFree = (/** @type {string} */ key) =>
    !wanted.has(key) && (manifests.has(key) || HIDDEN.test(key.slice(key.lastIndexOf('/') + 1)));
  const left = [...objects]
    .filter(([key]) => !isFree(key))
    .map(([key, bytes]) => [key, text(key, bytes)]);
  assert.deepEqual(Object.fromEntries(left), Object.fromEntries(wanted));
};

/**
 * All that `expect` may hold but `retries`: those come of real requests.
 * @param {any} expect
 * @param {any} outcome
 * @param {any[]} log
 */
const checkAnswer = (expect, outcome, log) => {
  const { result, error, bad } = expect;
  assert.deepEqual(
    outcome,
    error === undefined ? { result } : { error: error.replace('{request_id}', REQUEST_ID) },
  );
  const found = log
    .filter(({ event }) => event === 'bad_source')
    .map(({ key, code }) => [key, code]);
  if (bad) assert.deepEqual(found.sort(), bad.sort());
};

/** @param {string} name */
const run = async (name) => {
  const folder = join(VECTORS, name);
  const vector = JSON.parse(
    readFileSync(join(folder, 'case.json'), 'utf8').replaceAll('{request_id}', REQUEST_ID),
  );
  const store = stage(folder, vector);
  const source = store.bucket(SETTINGS.SRC_BUCKET);
  const destination =
    store.buckets.get(vector.settings?.DST_BUCKET ?? SETTINGS.DST_BUCKET) ?? new Map();
  const manifests = new Set();
  for (const step of vector.steps) {
    for (const [key, bytes] of makeObjects(step.add ?? [], folder)) source.set(key, bytes);
    for (const key of step.remove ?? []) source.delete(key);
    const { outcome, log } = await invoke(store, vector, step);
    try {
      checkAnswer(step.expect, outcome, log);
    } catch (error) {
      throw new Error(`${error}\nthe end of the log: ${JSON.stringify(log.at(-1))}`);
    }
    const published = step.expect.published ?? step.expect.result;
    if (!published) continue;
    const dayPrefix = `${vector.settings?.DST_PREFIX ?? ''}${published.day.replaceAll('-', '/')}/`;
    const prefix = step.expect.day_prefix ?? dayPrefix;
    checkPublished(destination, prefix, published);
    manifests.add(`${prefix}_manifest.json`);
  }
  const expected = makeObjects(vector.expected ?? [], folder);
  for (const [path, text] of readTree(join(folder, 'expected')))
    expected.push([`${path}.gz`, text]);
  if (destination !== source) checkLeft(destination, expected, manifests);
};

for (const name of readdirSync(VECTORS)) {
  const { needs, title } = JSON.parse(readFileSync(join(VECTORS, name, 'case.json'), 'utf8'));
  test(`${name}: ${title}`, { skip: needs === 'http' && 'only a real request shows it' }, () =>
    run(name),
  );
}
