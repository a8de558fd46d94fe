import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ChunkBuffer } from '../src/chunk-buffer.js';
import { readConfig } from '../src/config.js';
import { Journal } from '../src/journal.js';
import { Writer } from '../src/writer.js';
import { MemoryStore } from './memory-store.js';

const ENV = { SRC_BUCKET: 'source', DST_BUCKET: 'destination', AWS_REGION: 'r', DST_PREFIX: 'out/' };
const DAY = { date: '2024-02-08', force: false, account: null };
const PREFIX = 'out/2024/02/08/';

/**
 * @param {string[]} sources the lines of each
 * @param {{chunkBytes?: string, check?: () => void}} [options]
 */
const write = async (sources, { chunkBytes = '20', check = () => {} } = {}) => {
  const { config } = readConfig({ ...ENV, CHUNK_BYTES: chunkBytes });
  assert.ok(config);
  const store = new MemoryStore();
  const objects = store.bucket('destination');
  const writer = new Writer(
    store,
    config,
    DAY,
    'req',
    new Journal('INFO', 'r'),
    { check, disarm: assert.fail },
    new ChunkBuffer(),
  );
  for (const text of sources) await writer.add({ bytes: Buffer.from(text), count: text.split('\n').length - 1 });
  const chunks = await writer.close();
  assert.deepEqual(
    [...objects.keys()],
    chunks.map(({ hiddenKey }) => hiddenKey),
  );
  return { chunks, texts: [...objects.values()].map((bytes) => gunzipSync(bytes).toString()) };
};

test('a chunk closes with the record that fills it', async () => {
  const { chunks, texts } = await write([
    '123456789\n',
    '123456789\n123\n1\n',
    `${'x'.repeat(30)}\n1234567890\n123456789\n`,
  ]);
  assert.deepEqual(
    texts.map((text) => text.length),
    [20, 37, 21],
  );
  assert.equal(texts.join(''), `123456789\n123456789\n123\n1\n${'x'.repeat(30)}\n1234567890\n123456789\n`);
  assert.deepEqual(
    chunks.map(({ records, bytes }) => [records, bytes]),
    [
      [2, 20],
      [3, 37],
      [2, 21],
    ],
  );
});

test('a chunk is put under a hidden name and knows its published one', async () => {
  const { chunks } = await write(['1\n']);
  const [hiddenKey, key] = [`${PREFIX}_req-000001.ndjson.gz`, `${PREFIX}000001.ndjson.gz`];
  assert.deepEqual(chunks, [{ hiddenKey, key, records: 1, bytes: 2 }]);
});

test('no record, no chunk', async () => {
  assert.deepEqual((await write([''])).chunks, []);
});

test('large sources are cut at the same places', async () => {
  const lines = Array.from({ length: 300_000 }, (_, n) => `${n}\n`);
  const { chunks, texts } = await write([lines.join('')], { chunkBytes: '700000' });
  assert.equal(texts.join(''), lines.join(''));
  for (const text of texts.slice(0, -1)) assert.ok(text.length >= 700_000 && text.length < 700_007);
  const counted = texts.map((text) => [text.split('\n').length - 1, text.length]);
  assert.deepEqual(
    chunks.map(({ records, bytes }) => [records, bytes]),
    counted,
  );
});

test('a run that is out of time puts no more', async () => {
  const check = () => {
    throw new Error('late');
  };
  await assert.rejects(write(['1\n'], { check }), { message: 'late' });
});
