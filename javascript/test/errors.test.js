import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AggregationError,
  badSourcesError,
  describe,
  escapeKey,
  s3Error,
  sourceCode,
} from '../src/errors.js';

test('control characters of a key are escaped, nothing else', () => {
  assert.equal(
    escapeKey('a\n\u001f\u007f\u009f\u00a0é\u2028/+'),
    'a\\u000a\\u001f\\u007f\\u009f\u00a0é\u2028/+',
  );
});

test('an S3 error names operation and key, and keeps the cause for the log', () => {
  const error = s3Error('get', 'a\u0001b', 'SlowDown', 'later');
  assert.equal(error.message, 'S3_ERROR: get a\\u0001b (SlowDown)');
  assert.equal(error.cause, 'later');
  assert.equal(error.name, 'AggregationError');
});

test('bad sources are named up to ten', () => {
  const bad = Array.from({ length: 12 }, (_, n) => ({ key: `k${n}`, code: 'BAD_GZIP' }));
  assert.equal(
    badSourcesError(40, bad.slice(0, 2)).message,
    'BAD_SOURCES: 2 of 40: k0 (BAD_GZIP), k1 (BAD_GZIP)',
  );
  assert.match(
    badSourcesError(40, bad).message,
    /^BAD_SOURCES: 12 of 40: k0 .*, k9 \(BAD_GZIP\), and 2 more$/,
  );
});

test('only errors of sources have a source code', () => {
  assert.equal(sourceCode(new AggregationError('BAD_JSON', 'x')), 'BAD_JSON');
  assert.equal(sourceCode(new AggregationError('S3_ERROR', 'x')), null);
  assert.equal(sourceCode(new Error('BAD_JSON')), null);
});

test('a failed connection is described by all its parts', () => {
  const error = new AggregateError(
    [new Error('refused ::1'), new Error('refused 127.0.0.1')],
    'connect',
  );
  assert.equal(
    describe(error),
    'AggregateError: connect; Error: refused ::1; Error: refused 127.0.0.1',
  );
});
