import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ChunkBuffer } from '../src/chunk-buffer.js';
import { Compressor } from '../src/compressor.js';
import { Journal } from '../src/journal.js';

const journal = () => new Journal('INFO', 'r');

test('small and large pieces become one gzip member', async () => {
  const compressor = new Compressor(1, journal(), new ChunkBuffer());
  const pieces = [10, 600_000, 3, 2_000_000].map((size, n) => Buffer.alloc(size, `${n}`));
  for (const piece of pieces) await compressor.add(piece, 2);
  assert.deepEqual([compressor.records, compressor.bytes], [8, 2_600_013]);
  assert.deepEqual(gunzipSync(await compressor.close()), Buffer.concat(pieces));
});

test('what it holds and feeds is no view of what it was given', async () => {
  const compressor = new Compressor(1, journal(), new ChunkBuffer());
  const lines = Buffer.alloc(600_000);
  for (const [size, text] of /** @type {[number, string][]} */ ([
    [1, 'a'],
    [524_287, 'b'],
    [600_000, 'c'],
    [524_288, 'd'],
    [300_000, 'e'],
    [300_000, 'f'],
  ])) {
    lines.fill(text);
    await compressor.add(lines.subarray(0, size), 1);
    lines.fill('x');
  }
  const expected = `a${'b'.repeat(524_287)}${'c'.repeat(600_000)}${'d'.repeat(524_288)}`;
  const text = String(gunzipSync(await compressor.close()));
  assert.ok(text === `${expected}${'e'.repeat(300_000)}${'f'.repeat(300_000)}`);
});

test('the header has neither time nor name', async () => {
  const compressor = new Compressor(1, journal(), new ChunkBuffer());
  await compressor.add(Buffer.from('1\n'), 1);
  assert.equal((await compressor.close()).subarray(0, 8).toString('hex'), '1f8b080000000000');
});

test('the level is used', async () => {
  const text = Buffer.from(Array.from({ length: 50_000 }, (_, n) => `${n * n}`).join());
  const sizes = await Promise.all(
    [1, 9].map(async (level) => {
      const compressor = new Compressor(level, journal(), new ChunkBuffer());
      await compressor.add(text, 1);
      return (await compressor.close()).length;
    }),
  );
  assert.ok((sizes[0] ?? 0) > (sizes[1] ?? 0));
});

test('a chunk counts once, however often it is fed', async () => {
  /** @type {any[]} */
  const log = [];
  const counted = new Journal('INFO', 'r', (line) => log.push(JSON.parse(line)));
  const compressor = new Compressor(1, counted, new ChunkBuffer());
  for (let n = 0; n < 3; n++) await compressor.add(Buffer.alloc(600_000), 1);
  await compressor.close();
  counted.end({ error: null, cause: null, result: null });
  assert.equal(log[0].phases.compress.count, 1);
});
