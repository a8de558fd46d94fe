import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatheredLines } from '../../src/tuning/gathered-lines.js';

test('lines come out in order, small ones gathered and copied', () => {
  const gathered = new GatheredLines();
  const sizes = [1, 524_287, 600_000, 524_288, 300_000, 300_000, 5];
  /** @type {string[]} */
  const found = [];
  const given = Buffer.alloc(600_000);
  for (const [n, size] of sizes.entries()) {
    given.fill(`${n}`);
    const pieces = gathered.add(given.subarray(0, size));
    found.push(...pieces.map(String));
    given.fill('x');
  }
  found.push(String(gathered.rest()));
  const expected = sizes.map((size, n) => `${n}`.repeat(size)).join('');
  assert.ok(found.join('') === expected);
  assert.equal(found[0]?.length, 524_288);
  assert.equal(gathered.rest().length, 0);
});
