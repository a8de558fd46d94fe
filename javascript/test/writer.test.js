import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { readConfig } from '../src/config.js';
import { Journal } from '../src/journal.js';
import { Writer } from '../src/writer.js';
import { MemoryStore } from './memory-store.js';

const ENV = {
  SRC_BUCKET: 'source',
  DST_BUCKET: 'destination',
  AWS_REGION: 'r',
  DST_PREFIX: 'out/',
};
const DAY = { date: '2024-02-08', force: false, account: null };
const PREFIX = 'out/2024/02/08/';

/**
 * @param {string[]} sources the lines of each
 * @param {{chunkBytes?: string, level?: string, check?: () => void, closes?: boolean}} [options]
 */
const write = async (sources, options = {}) => {
  const { chunkBytes = '20', level = '1', check = () => {}, closes = true } = options;
  let counted = 0;
  const { config } = readConfig({ ...ENV, CHUNK_BYTES: chunkBytes, GZIP_LEVEL: level });
  assert.ok(config);
  const store = new MemoryStore();
  const objects = store.bucket('destination');
  /** @type {any[]} */
  const log = [];
  const journal = new Journal('DEBUG', 'r', (line) => log.push(JSON.parse(line)));
  const writer = new Writer({
    store,
    config,
    day: DAY,
    requestId: 'req',
    journal,
    deadline: { check, countChunk: () => void counted++ },
  });
  for (const text of sources)
    await writer.add({ bytes: Buffer.from(text), count: text.split('\n').length - 1 });
  const chunks = closes ? await writer.close() : [];
  assert.deepEqual(
    [...objects.keys()],
    chunks.map(({ hiddenKey }) => hiddenKey),
  );
  journal.end({ error: null, cause: null, result: null });
  const bodies = [...objects.values()];
  const texts = bodies.map((body) => gunzipSync(body).toString());
  return { chunks, bodies, texts, phases: log.at(-1).phases, told: log.slice(0, -1), counted };
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
  assert.equal(
    texts.join(''),
    `123456789\n123456789\n123\n1\n${'x'.repeat(30)}\n1234567890\n123456789\n`,
  );
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

test('a run that is out of time takes no more lines, and puts no more', async () => {
  let [checks, last] = [0, 0];
  const check = () => {
    if (checks++ === last) throw new Error('late');
  };
  await assert.rejects(write(['1\n'], { check, closes: false }), { message: 'late' });
  [checks, last] = [0, 1];
  await assert.rejects(write(['1\n'], { check }), { message: 'late' });
});

test('each chunk is told, and counted for the time that publishing needs', async () => {
  const { chunks, told, counted } = await write(['1\n', `${'x'.repeat(30)}\n2\n`]);
  assert.deepEqual(
    told, // O2
    chunks.map(({ hiddenKey, records, bytes }) => ({
      level: 'DEBUG',
      event: 'chunk',
      request_id: 'r',
      key: hiddenKey,
      records,
      bytes,
    })),
  );
  assert.deepEqual([told.length, counted], [2, 2]); // E6
});

test('the gzip header has neither time nor name', async () => {
  const { bodies } = await write(['1\n']);
  assert.equal(bodies[0]?.subarray(0, 8).toString('hex'), '1f8b080000000000');
});

test('the level is used', async () => {
  const text = `${Array.from({ length: 50_000 }, (_, n) => `${n * n}`).join()}\n`;
  const [low, high] = await Promise.all(['1', '9'].map((level) => write([text], { level })));
  assert.ok(Number(low?.bodies[0]?.length) > Number(high?.bodies[0]?.length));
});

test('a chunk counts once, however often its stream is written to', async () => {
  const sources = Array.from({ length: 5 }, (_, n) => `${String(n).repeat(300_000)}\n`);
  const { texts, phases } = await write(sources, { chunkBytes: '10000000' });
  assert.ok(texts.join('') === sources.join(''));
  assert.deepEqual([phases.compress.count, phases.put.count], [1, 1]);
});
