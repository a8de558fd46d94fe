// Splitter and inflater against a slow oracle, on generated files and bodies: a short round with a
// fixed seed; with FUZZ_SECONDS a long one with a new seed. A failure prints its seed, from which
// FUZZ_SEED begins again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inflate } from '../src/inflater.js';
import { splitRecords } from '../src/splitter.js';
import { RecordLines } from '../src/tuning/record-lines.js';
import { bodies, files } from './arbitraries.js';
import { fileOf, recordsOf } from './oracle.js';

const PROPERTIES = 2;
const SHORT_ROUND_CASES = 3000;
const DEFLATE_RATIO = 1032;
const { FUZZ_SECONDS, FUZZ_SEED } = process.env;

/**
 * @param {import('node:test').TestContext} t
 * @param {import('fast-check').IProperty<any>} property
 */
const check = (t, property) => {
  const details = /** @type {fc.RunDetails<any>} */ (
    fc.check(property, {
      ...(FUZZ_SECONDS === undefined
        ? { seed: 1, numRuns: SHORT_ROUND_CASES }
        : {
            numRuns: Number.MAX_SAFE_INTEGER,
            interruptAfterTimeLimit: (Number(FUZZ_SECONDS) * 1000) / PROPERTIES,
          }),
      ...(FUZZ_SEED === undefined ? {} : { seed: Number(FUZZ_SEED) }),
    })
  );
  t.diagnostic(`${details.numRuns} cases, seed ${details.seed}`);
  if (details.failed) assert.fail(fc.defaultReportMessage(details));
};

/**
 * @template T
 * @param {() => T} step
 * @returns {T | string} the error's code
 */
const outcome = (step) => {
  try {
    return step();
  } catch (error) {
    const { code, name } = /** @type {{code?: string, name?: string}} */ (error);
    if (!code || name !== 'AggregationError') throw error;
    return code;
  }
};

test('the splitter says what the oracle says, wherever the file is cut', (t) => {
  const segments = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4000 }));
  check(
    t,
    fc.property(files, segments, (file, segmentBytes) => {
      const expected = recordsOf(file);
      for (const bytes of [segmentBytes, undefined]) {
        const text = Buffer.from(file);
        const found = outcome(() => splitRecords(text, () => {}, new RecordLines(text, bytes)));
        if (typeof found === 'string') assert.ok(found === expected, `${found} unexpected`);
        else {
          assert.ok(Array.isArray(expected), `${expected} expected`);
          const lines = Buffer.from(expected.map((line) => `${line}\n`).join(''));
          assert.ok(found.bytes.equals(lines), 'the lines differ');
          assert.equal(found.count, expected.length);
        }
      }
    }),
  );
});

test('the inflater says what the oracle says', (t) => {
  const limits = fc.constantFrom('ample', 'exact', 'one less');
  check(
    t,
    fc.property(bodies, limits, (body, limit) => {
      const expected = fileOf(body);
      const ample = body.length * DEFLATE_RATIO;
      if (typeof expected === 'string')
        assert.equal(
          outcome(() => inflate(body, ample)),
          expected,
        );
      else {
        // A plain body's size is the store's to bound; a limit is at least 1.
        const isTooLarge = limit === 'one less' && expected !== body && expected.length > 1;
        const maxBytes =
          limit === 'ample' ? ample : Math.max(1, expected.length - (isTooLarge ? 1 : 0));
        const found = outcome(() => inflate(body, maxBytes));
        // Only small things are shown: a printed difference of two files takes too long.
        if (isTooLarge) assert.ok(found === 'TOO_LARGE', 'it is too large');
        else assert.ok(typeof found !== 'string' && found.equals(expected), 'the contents differ');
      }
    }),
  );
});
